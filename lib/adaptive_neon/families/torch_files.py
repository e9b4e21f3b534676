"""What `torch.save` wrote (`.pth`, `.pt`, `.ckpt`), as data: nothing in it is executed, no tensor is copied.

Such a file is a zip with a pickle in `…/data.pkl` and the bytes of each storage, as they are, in `…/data/<key>`.
"""

import io
import mmap
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adaptive_neon.families.pickles import (
    MAX_ENTRIES,
    MAX_NAME,
    Interpreter,
    Module,
    OrderedDict,
    RefusedError,
    expect,
    parameter,
    view,
)
from adaptive_neon.jobs.foreign import require_plausible

LACKING = {"bfloat16": "<u2", "float8_e4m3fn": "u1", "float8_e5m2": "u1"}  # that NumPy lacks
LOCAL_HEADER = 30  # bytes before the name of a member
STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


@dataclass(frozen=True)
class _Type:
    """The type of a storage's elements: NumPy's name of it, or torch's of one that NumPy lacks."""

    name: str


def read_torch_file(path: Path, exact: bool = False) -> object:
    """The object in a file of `torch.save`.

    Args:
        exact: every tensor is a view of the file. One of a type that NumPy lacks is of a structure whose only
            field has torch's name of the type.

    Returns:
        Dictionaries, lists, numbers, texts, and arrays for tensors: views of the file, or float32 for bfloat16.
        What is no data, such as the arguments of a script, is a `Module`.

    Raises:
        RefusedError: it names anything that checkpoints do not hold, or tensors that do not fit their storages.
            Damaged bytes raise whatever they trip.
    """
    if not zipfile.is_zipfile(path):
        raise RefusedError("is no zip, which torch writes since version 1.6: load it and save it again with that")
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        # Copy on write, and there as long as a view of it is.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise RefusedError("is a zip without the one data.pkl of torch.save")
        pickled = archive.getinfo(pickles[0])
        require_plausible(path, pickled.file_size)
        folder = pickles[0].removesuffix(".pkl")
        storages: dict[str, np.ndarray] = {}

        def storage(identifier: object) -> np.ndarray:
            kind, dtype, key, _, count = expect(tuple, identifier)
            if kind != "storage":
                raise RefusedError("holds a persistent object that is no storage")
            name = f"{folder}/{expect(str, key)}"
            if name not in storages:
                elements = _elements(data, archive.getinfo(name), expect(_Type, dtype).name, count)
                storages[name] = elements if exact else _as_numbers(elements)
            return storages[name]

        return Interpreter().run(io.BytesIO(archive.read(pickled)), _STANDINS, storage, keys=(str, int))


def _elements(data: mmap.mmap, member: zipfile.ZipInfo, dtype: str, count: int) -> np.ndarray:
    """A storage as a vector."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise RefusedError("holds a compressed storage, which torch.save does not write")
    name, extra = struct.unpack_from("<HH", data, member.header_offset + LOCAL_HEADER - 4)
    start = member.header_offset + LOCAL_HEADER + name + extra
    raw = np.dtype([(dtype, LACKING[dtype])] if dtype in LACKING else dtype)
    if expect(int, count) * raw.itemsize > member.file_size:
        raise RefusedError("holds a storage larger than its bytes")
    return np.frombuffer(data, raw, count, start)


def _as_numbers(elements: np.ndarray) -> np.ndarray:
    """The same as a type that NumPy has: bfloat16 as float32."""
    if elements.dtype.names == ("bfloat16",):
        return (elements["bfloat16"].astype("<u4") << 16).view("<f4")
    return elements


def plain_state_dict(content: object, size: int) -> dict[str, np.ndarray] | None:
    """The tensors of a state dict as arrays, floats as float32; None if the content is no state dict.

    Args:
        size: bytes of the file, more than which the tensors cannot take.
    """
    if not isinstance(content, dict) or not 0 < len(content) <= MAX_ENTRIES:
        return None
    if not all(type(name) is str and len(name) <= MAX_NAME for name in content):
        return None
    if not all(type(array) is np.ndarray for array in content.values()):
        return None
    if any(array.dtype.kind == "V" for array in content.values()):
        raise RefusedError("holds float8, which no family of models computes with")
    if sum(array.nbytes for array in content.values()) > 2 * size:  # bfloat16 is float32 by now
        raise RefusedError("holds tensors larger than the file")
    return {
        name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
        for name, array in content.items()
    }


def _new_dict() -> OrderedDict:
    return OrderedDict()


def _typed_view(
    storage: np.ndarray,
    offset: int,
    size: tuple,
    stride: tuple,
    requires_grad: bool,
    hooks: dict,
    dtype: _Type,
    *_: object,
) -> np.ndarray:
    """A view of a storage of bytes as elements of a type that has no storage of its own, such as float8."""
    name = expect(_Type, dtype).name
    raw = np.dtype([(name, LACKING[name])])
    if expect(np.ndarray, storage).dtype != np.uint8:
        raise RefusedError("holds a tensor of a type that is not its storage's")
    return view(storage.view(raw), offset, size, stride, requires_grad, hooks)


def _no_data(*_: object) -> Module:
    return Module("no data")


_STANDINS: dict[str, object] = (
    {
        "argparse.Namespace": _no_data,
        "collections.OrderedDict": _new_dict,
        "torch._utils._rebuild_parameter": parameter,
        "torch._utils._rebuild_tensor_v2": view,
        "torch._utils._rebuild_tensor_v3": _typed_view,
        "torch.storage.UntypedStorage": _Type("u1"),
    }
    | {f"torch.{name}": _Type(name) for name in LACKING}
    | {name: _Type(dtype) for name, dtype in STORAGES.items()}
)
