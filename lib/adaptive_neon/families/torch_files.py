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
    """The type of a storage's elements: NumPy's name of it, or `bfloat16`, which NumPy lacks."""

    name: str


def read_torch_file(path: Path) -> object:
    """The object in a file of `torch.save`.

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
                storages[name] = _elements(data, archive.getinfo(name), expect(_Type, dtype).name, count)
            return storages[name]

        return Interpreter().run(io.BytesIO(archive.read(pickled)), _STANDINS, storage, keys=(str, int))


def _elements(data: mmap.mmap, member: zipfile.ZipInfo, dtype: str, count: int) -> np.ndarray:
    """A storage as a vector."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise RefusedError("holds a compressed storage, which torch.save does not write")
    name, extra = struct.unpack_from("<HH", data, member.header_offset + LOCAL_HEADER - 4)
    start = member.header_offset + LOCAL_HEADER + name + extra
    raw = np.dtype("<u2" if dtype == "bfloat16" else dtype)
    if expect(int, count) * raw.itemsize > member.file_size:
        raise RefusedError("holds a storage larger than its bytes")
    elements = np.frombuffer(data, raw, count, start)
    return (elements.astype("<u4") << 16).view("<f4") if dtype == "bfloat16" else elements


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
    if sum(array.nbytes for array in content.values()) > 2 * size:  # bfloat16 is float32 by now
        raise RefusedError("holds tensors larger than the file")
    return {
        name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
        for name, array in content.items()
    }


def _new_dict() -> OrderedDict:
    return OrderedDict()


def _no_data(*_: object) -> Module:
    return Module("no data")


_STANDINS: dict[str, object] = {
    "argparse.Namespace": _no_data,
    "collections.OrderedDict": _new_dict,
    "torch._utils._rebuild_parameter": parameter,
    "torch._utils._rebuild_tensor_v2": view,
} | {name: _Type(dtype) for name, dtype in STORAGES.items()}
