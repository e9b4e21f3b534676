"""Safetensors files a piece at a time: the header is read and checked here, and the tensors stay where they are.

The format: eight bytes, the length of the header; the header, a JSON object of name → type, shape and where its
bytes start and end; then the bytes of all tensors without a gap.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import torch

from adaptive_neon.errors import InputError, shown
from adaptive_neon.families.checkpoints import MAX_HEADER
from adaptive_neon.jobs.files import replacing
from adaptive_neon.jobs.foreign import reading
from adaptive_neon.models.tensors import Stored, Tensor, as_bytes, nbytes, one_thread, pieces

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
ALIGNMENT = 8  # bytes, of where the tensors start
FLUSHED = 2**26  # bytes that the disk is given at a time


def read_header(path: str | Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """The tensors of a file in the order of their bytes, and its metadata.

    Raises:
        InputError: no such file, not in safetensors, or its tensors overlap or leave the file.
    """
    path = Path(path)
    with reading(path, "a model in safetensors"), open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size
        if MAX_HEADER < length < size:
            raise InputError(f"{path}: a header of {length:,} bytes, more than {MAX_HEADER:,}; get it again")
        if length > size - 8:
            raise ValueError("the header is longer than the file")
        header = json.loads(file.read(length), object_pairs_hook=_once)
        metadata = header.pop("__metadata__", {})
        if not all(type(text) is str for text in metadata.values()):
            raise ValueError("metadata that are no texts")
        ends = 0
        tensors = {}
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            start, end = entry["data_offsets"]
            if entry["dtype"] not in DTYPES:
                raise InputError(
                    f"{path}: {name} is of type {shown(entry['dtype'])}, which is not merged; "
                    f"convert it to one of {', '.join(DTYPES)}"
                )
            dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
            if not all(type(n) is int and n >= 0 for n in (start, end, *shape)):
                raise ValueError(f"{shown(name)} has sizes that are no whole numbers")
            if start != ends or end - start != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"the bytes of {shown(name)} overlap others, leave a gap or are not of its shape")
            tensors[name] = Stored(path, dtype, shape, 8 + length + start)
            ends = end
        if 8 + length + ends != size:
            raise ValueError(f"{size:,} bytes, but the header tells of {8 + length + ends:,}")
    return tensors, metadata


def _once(pairs: list[tuple[str, object]]) -> dict:
    """A JSON object none of whose keys comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name that comes twice")
    return found


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a file of safetensors, a piece of a tensor at a time. The same tensors give the same bytes.

    Raises:
        InputError: a tensor cannot be computed, or the disk is full; nothing is left under the name.
    """
    with replacing(path) as temporary:
        stream_tensors(temporary, tensors, metadata)


def stream_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """The same under a name that is not final yet.

    The disk takes up bytes while others are computed, so that at the end little is left to wait for; what it has
    taken up leaves the memory.
    """
    # As the format's own library orders them: the widest types first, so that each tensor is aligned.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    ends = 0
    for name in names:
        start, ends = ends, ends + nbytes(tensors[name])
        header[name] = {
            "dtype": NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, ends],
        }
    text = _as_text(header)
    text = text.ljust(-(-len(text) // ALIGNMENT) * ALIGNMENT)
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_thread(), open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        unflushed = 0
        for name in names:
            for piece in pieces(tensors[name]):
                unflushed += file.write(as_bytes(piece))
                if unflushed >= FLUSHED and hasattr(os, "posix_fadvise"):  # macOS has none
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    unflushed = 0


def change_metadata(path: Path, changes: Mapping[str, str]) -> None:
    """Change metadata of a file that `stream_tensors` wrote to texts of the same length, in place."""
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] |= changes
        text = _as_text(header).ljust(length)
        assert len(text) == length, "metadata of another length"
        file.seek(8)
        file.write(text)


def _as_text(header: Mapping) -> bytes:
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
