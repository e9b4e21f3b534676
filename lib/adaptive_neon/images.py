"""Image sets: uint8 [N, H, W, C] with a class each, int64 [N]."""

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.files import replacing


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1,797 handwritten digits that scikit-learn carries: uint8 [1797, 8, 8, 1] and their classes.

    The 17 grey levels 0 … 16 become 0 … 255.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.uint8)
    return images[..., None], data.target.astype(np.int64)


def write_images(path: str | Path, images: Mapping[str, np.ndarray], labels: np.ndarray | None) -> None:
    """Write image sets that share their classes, if they have any, as one .npz, an array a set, not compressed."""
    with replacing(path) as temporary:
        np.savez(temporary, **images, **({} if labels is None else {"labels": labels}))


def read_images(path: str | Path, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """One set of `write_images`, and the classes or None.

    Raises:
        InputError: not such a file, or no such set in it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if name not in file:
                raise InputError(f"{path}: holds no image set {name}; it has {', '.join(file.files)}")
            return file[name], file.get("labels")
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: not a readable image set ({error}); remove it and make it again") from None
