"""Models and codecs from the files that the authors of a family publish."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
from safetensors.numpy import load_file

from adaptive_neon.errors import InputError
from adaptive_neon.families import NAMES, settings_of
from adaptive_neon.families.pickles import RefusedError, read_pickle
from adaptive_neon.families.torch_files import read_torch_file
from adaptive_neon.jobs.foreign import reading


def _read_either(path: Path) -> object:
    """A file of `torch.save`, or a pickle: Luma's `cifar10.pt` is one that its code reads as a pickle."""
    return read_torch_file(path) if is_zipfile(path) else read_pickle(path)


READERS = {".pkl": read_pickle, ".pth": read_torch_file, ".pt": _read_either, ".ckpt": read_torch_file}
CODEC_READERS = READERS | {".bin": read_torch_file}


def read_published(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The tensors of a model, and its architecture with the name of the family that knows the file.

    Raises:
        InputError: the file cannot be read, is damaged, holds what no checkpoint holds, or no family's network.
    """
    refused = []
    with _refusing(path):
        content = READERS[path.suffix](path)
        for name in NAMES:
            settings = settings_of({"family": name})
            if path.suffix not in settings.PUBLISHED:
                continue
            try:
                tensors, architecture = settings.from_published(content, path.stat().st_size)
                return tensors, {"family": name} | architecture
            except RefusedError as error:
                refused.append(str(error))
        raise RefusedError(", and ".join(refused) or f"is of a kind, {path.suffix}, that no family publishes")


def read_published_codec(path: Path, architecture: Mapping) -> dict[str, np.ndarray]:
    """The tensors of the frozen codec of a model.

    Args:
        architecture: of the model.

    Raises:
        InputError: the file cannot be read, is damaged, or holds no codec of the model's family.
    """
    with _refusing(path):
        content = CODEC_READERS.get(path.suffix, load_file)(path)
        return settings_of(architecture).codec_from_published(content, path.stat().st_size)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Whatever goes wrong while the file is read is one line."""
    with reading(path, "a published checkpoint", "download it again"):
        try:
            yield
        except RefusedError as error:
            raise InputError(
                f"{path}: {error}; use a published checkpoint from a source that you trust"
            ) from error
