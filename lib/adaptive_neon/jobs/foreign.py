"""The gate for files from elsewhere: their faults become one line, their sizes are known before they are read."""

import os
import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adaptive_neon.errors import InputError

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile

FREE = 2**28  # bytes that any file may unpack to
EXPANSION = 32  # times the bytes that a file takes on the disk, for larger ones


@contextmanager
def reading(path: str | Path, what: str, mend: str = "get it again") -> Iterator[None]:
    """Parse a file from elsewhere in the block: whatever goes wrong there is one line that names the file.

    Malformed bytes can trip any operation, so no list of exceptions would be complete. What the parsers warn of
    is silenced.

    Args:
        what: the file should be, such as `a set of images`.
        mend: what to do with a damaged one.

    Raises:
        InputError: any fault of the file.
    """
    try:
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(f"{path}: a pipe or a device; give the path of {what}")
        with warnings.catch_warnings(action="ignore"):
            yield
    except InputError:
        raise
    except FileNotFoundError as error:
        missing = path if error.filename is None else error.filename
        raise InputError(f"{missing or repr('')}: no such file; give the path of {what}") from error
    except OSError as error:
        if error.strerror is None:
            raise InputError(_damaged(path, what, mend, error)) from error
        raise InputError(f"{error.filename or path}: {error.strerror}; give {what} that can be read") from error
    except Exception as error:
        raise InputError(_damaged(path, what, mend, error)) from error


def _damaged(path: str | Path, what: str, mend: str, error: Exception) -> str:
    return f"{path}: not {what}, or a damaged one ({reason(error)}); {mend}"


def reason(error: BaseException) -> str:
    """The message of an exception in one line of at most 200 characters; its type if it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def require_plausible(path: str | Path, declared: int, stored: int | None = None) -> None:
    """Raise an InputError if a file declares to hold more than its own size explains.

    Args:
        declared: bytes that reading it would take.
        stored: bytes that it takes on the disk, if it is not this file alone.
    """
    limit = max(FREE, EXPANSION * (bytes_on_disk(path) if stored is None else stored))
    if declared > limit:
        raise InputError(
            f"{path}: declares {declared:,} bytes, more than the {limit:,} that its size explains; get it again"
        )


def bytes_on_disk(path: str | Path) -> int:
    """What a file takes there: less than its length if it has holes."""
    found = os.stat(path)
    return min(found.st_size, 512 * found.st_blocks) or found.st_size


def unpacked_size(archive: zipfile.ZipFile) -> int:
    """Bytes that the members of a zip declare to hold."""
    return sum(member.file_size for member in archive.infolist())


@contextmanager
def reading_arrays(path: str | Path, what: str, mend: str = "get it again") -> Iterator["NpzFile"]:
    """Open a `.npz` from elsewhere, to be read in the block (see `reading`); nothing in it is unpickled.

    Raises:
        InputError: any fault of the file; it declares more than its size explains.
    """
    import numpy as np

    with reading(path, what, mend):
        file = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise ValueError("a single array")
        with file:
            require_plausible(path, unpacked_size(file.zip))
            yield file
