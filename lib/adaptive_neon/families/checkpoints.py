"""Weights in and out: safetensors files that carry the architecture in their metadata; published files in.

NumPy alone reads and writes them, so that a merge starts in a fraction of a second.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from adaptive_neon.errors import InputError
from adaptive_neon.families import settings_of
from adaptive_neon.families.architecture import check
from adaptive_neon.families.published import READERS, read_published, read_published_codec
from adaptive_neon.jobs.files import replacing, sha256_of
from adaptive_neon.jobs.foreign import reading

CODEC = "codec.safetensors"  # beside a model that has one
LARGEST = np.finfo(np.float32).max  # of a weight: networks compute in float32
MAX_HEADER = 2**24  # bytes of a safetensors file: names and shapes of 100,000 tensors


@dataclass(frozen=True)
class Checkpoint:
    """A model as data.

    Attributes:
        tensors: parameter or buffer name → array.
        architecture: what rebuilds the network (see `families.protocol`).
        metadata: where it comes from, free text by key.
    """

    tensors: Mapping[str, np.ndarray]
    architecture: dict
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> list[str]:
        """The names of the tensors that are weights, and not constants of the network."""
        is_weight = settings_of(self.architecture).is_weight
        return [name for name in self.tensors if is_weight(name)]


def write_checkpoint(
    path: str | Path, tensors: Mapping[str, np.ndarray], architecture: Mapping, /, **metadata: str
) -> None:
    """Write a model as safetensors; `architecture` is stored as JSON in the file's metadata.

    The same model gives the same bytes.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with replacing(path) as temporary:
        save_file(
            contiguous,
            temporary,
            {
                **metadata,
                "architecture": json.dumps(dict(architecture), sort_keys=True),
                "checksum": _checksum(contiguous),
            },
        )
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """The library writes the metadata's keys in random order. The sorted header has the same length."""
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        file.seek(8)
        file.write(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(length))


def read_model(path: str | Path) -> Checkpoint:
    """A model from elsewhere: a file as a family's authors publish it, our safetensors, or a study's `model/`.

    The metadata gain `source` and `sha256`, the name and the digest of the file.

    Raises:
        InputError: no such file, or not a model.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "model.safetensors").exists():
            raise InputError(
                f"{path}: holds no model.safetensors; give the `model` folder of a study that found one"
            )
        path /= "model.safetensors"
    published = path.suffix in READERS
    checkpoint = Checkpoint(*read_published(path)) if published else read_checkpoint(path)
    check(path, checkpoint.architecture)
    require_finite(path, checkpoint.tensors, checkpoint.weights)
    for name in checkpoint.tensors.keys() - set(checkpoint.weights):  # constants; a mask may hold infinities
        if np.isnan(checkpoint.tensors[name]).any():
            raise InputError(f"{path}: {name} holds values that are no numbers; get it or make it again")
    origin = {"source": path.name, "sha256": sha256_of(path)}
    return replace(checkpoint, metadata=checkpoint.metadata | origin)


def require_finite(path: str | Path, tensors: Mapping[str, np.ndarray], weights: Iterable[str]) -> None:
    """Raise an InputError that names the first of the weights that is not of floats, finite as float32."""
    for name in weights:
        array = tensors[name]
        if array.dtype.kind != "f":
            raise InputError(
                f"{path}: {name} is {array.dtype}, but weights are floating-point numbers; convert it"
            )
        if not np.isfinite(array).all() or np.abs(array).max(initial=0) > LARGEST:
            raise InputError(
                f"{path}: {name} is not finite; the training that made it diverged, or the merge was too far"
            )


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote. The tensors stay in the file until they are asked for.

    Raises:
        InputError: no file, not a safetensors file, truncated, altered, or without the architecture.
    """
    with reading(path, "a model in safetensors", "get it or make it again"):
        with open(path, "rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if MAX_HEADER < header < Path(path).stat().st_size:
            raise InputError(f"{path}: a header of {header:,} bytes, more than {MAX_HEADER:,}; get it again")
        metadata = _metadata(path)
        tensors = TensorFile(path)
        checksum = _checksum(tensors)
    try:
        architecture = json.loads(metadata.pop("architecture"))
    except Exception:  # text of anyone, nested perhaps without end
        raise InputError(
            f"{path}: no architecture in its metadata; write the file with adaptive_neon.families.checkpoints"
        ) from None
    if metadata.pop("checksum", None) not in (None, checksum):
        raise InputError(f"{path}: its weights are not those that were written; remove it and make it again")
    return Checkpoint(tensors, architecture, metadata)


def find_codec(model: str | Path, given: str | Path | None, architecture: Mapping) -> list[Path]:
    """The file of a model's codec: the one that is given, or the one beside the model; none if it needs none.

    Raises:
        InputError: there is none, or the model has no codec.
    """
    if not architecture.get("codec"):
        if given:
            raise InputError(f"{given}: {model} draws images without a codec; give none")
        return []
    if given:
        return [Path(given)]
    model = Path(model)
    beside = (model if model.is_dir() else model.parent) / CODEC
    if not beside.exists():
        raise InputError(f"{model}: its images pass a codec; give its file with --codec")
    return [beside]


def read_codec(path: str | Path, architecture: Mapping) -> dict[str, np.ndarray]:
    """The tensors of the frozen codec of a model: a published file, or the one of a study.

    Args:
        architecture: of the model.

    Raises:
        InputError: it is no codec of the model's family.
    """
    path = Path(path)
    with reading(path, "a codec", "get it again"):
        ours = path.suffix == ".safetensors" and _metadata(path).get("architecture")
    return read_checkpoint(path).tensors if ours else read_published_codec(path, architecture)


def read_architecture(path: str | Path) -> dict:
    """The architecture of a model that `write_checkpoint` wrote, without its tensors."""
    with reading(path, "a model in safetensors", "make it again"):
        return json.loads(_metadata(path)["architecture"])


def _metadata(path: str | Path) -> dict[str, str]:
    with safe_open(path, framework="numpy") as file:
        return dict(file.metadata() or {})


class TensorFile(Mapping[str, np.ndarray]):
    """The tensors of a safetensors file, each read when it is asked for.

    Those of a floating-point type that NumPy lacks, such as bfloat16 or float8, are float32.
    """

    def __init__(self, path: str | Path):
        self.path = path
        self.file = safe_open(path, framework="numpy")
        self.names = dict.fromkeys(self.file.keys())

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise KeyError(name)
        if self.file.get_slice(name).get_dtype().startswith(("BF", "F8", "F4")):
            with safe_open(self.path, framework="pt") as file:  # torch, which need not be there for all others
                return file.get_tensor(name).float().numpy()
        return self.file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _checksum(tensors: Mapping[str, np.ndarray]) -> str:
    """CRC-32 of all arrays; safetensors has no checksum of its own."""
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(tensors[name].tobytes(), checksum)
    return f"{checksum:08x}"
