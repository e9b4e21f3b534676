"""Image sets: uint8 [N, H, W, C] with a class each, int64 [N]."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import write_arrays
from adaptive_neon.jobs.foreign import reading_arrays

_opened = partial(reading_arrays, what="an image set", mend="remove it and make it again")


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1,797 handwritten digits that scikit-learn carries: uint8 [1797, 8, 8, 1] and their classes.

    The 17 grey levels 0 … 16 become 0 … 255.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.uint8)
    return images[..., None], data.target.astype(np.int64)


def write_images(
    path: str | Path, images: Mapping[str, np.ndarray], labels: np.ndarray | None, shards: int = 1
) -> None:
    """Write image sets that share their classes, if they have any, as one .npz, one array per set, not compressed.

    Args:
        shards: how many files of images these were joined from.
    """
    write_arrays(path, {**images, "shards": shards} | ({} if labels is None else {"labels": labels}))


def shards_of(path: str | Path) -> int | None:
    """How many files the images of a file were joined from; None if there is no such file."""
    try:
        with _opened(path) as file:
            return int(file["shards"])
    except InputError:
        return None


def names_of(path: str | Path) -> list[str] | None:
    """The names of the image sets of a file, in their order; None if there is no such file."""
    try:
        with _opened(path) as file:
            return [name for name in file.files if name not in ("labels", "shards")]
    except InputError:
        return None


def join_images(paths: Sequence[str | Path]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The image sets of several files with the same names, one after the other, and their classes.

    A set that is empty in one of them, because its model diverged, is empty.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for path in paths:
        with _opened(path) as file:
            for name in set(file.files) - {"shards"}:
                parts.setdefault(name, []).append(file[name])
    labels = np.concatenate(parts.pop("labels")) if "labels" in parts else None
    images = {}
    for name, sets in parts.items():
        images[name] = np.concatenate(sets) if all(map(len, sets)) else sets[0][:0]
    return images, labels


def read_images(path: str | Path, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """One set of `write_images`, and the classes or None.

    Raises:
        InputError: not such a file, or no such set in it.
    """
    with _opened(path) as file:
        if name not in file:
            raise InputError(f"{path}: holds no image set {name}; it has {', '.join(file.files)}")
        return file[name], file.get("labels")
