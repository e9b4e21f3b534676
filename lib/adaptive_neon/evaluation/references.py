"""Statistics of real images as NVIDIA publishes them: a `.npz` with `mu` [D] and `sigma` [D, D], both float64."""

import zipfile
from pathlib import Path

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import replacing


def holds_statistics(path: str | Path) -> bool:
    """Whether this is a file of statistics, and not of images."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"mu.npy", "sigma.npy"} <= set(archive.namelist())


def write_statistics(path: str | Path, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Write them so that `read_statistics` and NVIDIA's programs read them."""
    with replacing(path) as temporary:
        np.savez(temporary, mu=mean, sigma=covariance)


def read_statistics(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance [D, D] of the features of real images.

    Raises:
        InputError: no such file, or not such statistics.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            mean, covariance = (np.asarray(file[name], np.float64) for name in ("mu", "sigma"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a .npz with mu and sigma") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: holds no mu and sigma ({reason}); give statistics as NVIDIA publishes them"
        ) from None
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape:
        raise InputError(
            f"{path}: mu {list(mean.shape)} and sigma {list(covariance.shape)} do not fit; get it again"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(f"{path}: mu or sigma is not finite; get the file again")
    return mean, covariance
