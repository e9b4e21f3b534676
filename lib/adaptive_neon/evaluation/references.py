"""Statistics of real images as NVIDIA publishes them: a `.npz` with `mu` [D] and `sigma` [D, D], both float64."""

import zipfile
from pathlib import Path

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import write_arrays
from adaptive_neon.jobs.foreign import reading, reading_arrays

WHAT = "statistics (mu and sigma) as NVIDIA publishes them"
MAX_FEATURES = 8192  # Inception has 2048
TOLERANCE = 1e-4  # relative: how far from a covariance rounding may take one
LARGEST = 1e12  # of their values: with more, sums of squares lose all digits


def holds_statistics(path: str | Path) -> bool:
    """Whether this is a file of statistics, and not of images."""
    with reading(path, "statistics or images"):
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return {"mu.npy", "sigma.npy"} <= set(archive.namelist())


def write_statistics(path: str | Path, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Write them so that `read_statistics` and NVIDIA's programs read them."""
    write_arrays(path, {"mu": mean, "sigma": covariance})


def read_statistics(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance [D, D] of the features of real images.

    Raises:
        InputError: no such file, or not such statistics.
    """
    with reading_arrays(path, WHAT) as file:
        mean, covariance = (_real(path, name, file[name]) for name in ("mu", "sigma"))
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape or not 0 < len(mean) <= MAX_FEATURES:
        raise InputError(
            f"{path}: mu {list(mean.shape)} and sigma {list(covariance.shape)} do not fit; get it again"
        )
    scale = np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > TOLERANCE * scale:
        raise InputError(f"{path}: sigma is not symmetric, so it is no covariance; get it again")
    try:
        np.linalg.cholesky(covariance + TOLERANCE * max(scale, 1e-300) * np.eye(len(mean)))
    except np.linalg.LinAlgError:
        raise InputError(f"{path}: sigma has negative eigenvalues, so it is no covariance; get it again") from None
    return mean, covariance


def _real(path: str | Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} is {array.dtype}, but statistics are real numbers; get it again")
    if not np.isfinite(array).all() or np.abs(array).max(initial=0) > LARGEST:
        raise InputError(f"{path}: {name} is not finite, or above {LARGEST:g}; get it again")
    return array.astype(np.float64)
