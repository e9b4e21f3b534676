"""Writing files so that a final name never holds half a file; reading JSON that may be damaged; digests."""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.foreign import reading

if TYPE_CHECKING:
    import numpy as np

FULL = 2**20  # bytes; a disk with less left is full
LARGEST_JSON = 2**25  # bytes; in memory a file may take thirty times its size


def sha256_of(path: str | Path) -> str:
    """Of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; it takes the name `path` only if the block succeeds.

    The temporary name keeps the suffix of `path`, which some writers (NumPy's) insist on.

    Raises:
        InputError: the disk is full, whatever the writer makes of that.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        with _disk_of(path):
            yield temporary
            _flush(temporary)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`; it takes the name `path` only if the block succeeds.

    Raises:
        InputError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _disk_of(path):
            temporary.mkdir()
            yield temporary
            for folder, _, names in os.walk(temporary):
                for name in names:
                    _flush(Path(folder, name))
            os.replace(temporary, path)  # an empty folder gives way
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _disk_of(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Some writers take the space in advance, others say no more than that they failed.
        said = any(words in str(error) for words in ("No space left", "quota exceeded"))
        disk = shutil.disk_usage(path.parent)  # some file systems report no sizes at all
        if said or (disk.total and disk.free < FULL):
            raise InputError(f"{path}: no space left on the disk; free some and start again") from None
        raise


def check_output(path: str, *suffixes: str, reads: Iterable[str] = ()) -> None:
    """Check before any work that a file can be written there.

    Args:
        suffixes: that it may have.
        reads: the files that the work begins with.

    Raises:
        InputError: the name has another suffix, is that of a folder or of a file that is read, or nothing can be
            made there.
    """
    if Path(path).suffix not in suffixes:
        raise InputError(f"{path or repr('')}: give a name that ends in {' or '.join(suffixes)}")
    check_writable(path)
    if os.path.isdir(path) or path.endswith(os.sep):
        raise InputError(f"{path}: a folder; give the name of a file")
    if any(os.path.exists(source) and os.path.samefile(path, source) for source in reads if os.path.exists(path)):
        raise InputError(f"{path}: the command reads this file; give another name")


def check_new_folder(path: str | Path) -> None:
    """Check before any work that a folder can be made there.

    Raises:
        InputError: something is there, or the folder above it cannot be made or written.
    """
    path = Path(path)
    check_writable(path)
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path}: is there already; give the name of a new folder")


def check_writable(path: str | Path) -> None:
    """Raise an InputError unless something can be made at `path`: the folder above it exists or can be made."""
    path = Path(path)
    try:
        os.lstat(path.parent / f".{path.name}.{os.getpid()}")  # the name as `replacing` makes it
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r}: cannot be written ({error}); give another name") from error
    above = path.absolute().parents or [path]  # there is nothing above the root
    folder = next(folder for folder in above if os.path.lexists(folder))
    if not folder.is_dir():
        raise InputError(f"{path}: {folder} is no folder; give another name")
    try:
        with tempfile.TemporaryFile(dir=folder):  # rights alone don't tell, nor those of root
            pass
    except OSError as error:
        raise InputError(
            f"{path}: the folder {folder} cannot be written ({error.strerror}); give another"
        ) from error


def write_arrays(path: str | Path, arrays: Mapping[str, "np.ndarray"]) -> None:
    """Write a `.npz`, not compressed. NumPy gets an open file, which it can't rename."""
    import numpy as np

    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def check_zip(path: str | Path) -> None:
    """Compare the checksums in a zip file, such as torch writes and reads without comparing.

    Raises:
        ValueError: a member is not what was written; or the error of zipfile.
    """
    with zipfile.ZipFile(path) as archive:
        if (member := archive.testzip()) is not None:
            raise ValueError(f"bad CRC-32 of {member}")


def write_json(path: str | Path, value: Any) -> None:
    """Write what `read_json` reads."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1))


def read_json(path: str | Path) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: no such file, or not JSON.
    """
    with reading(path, "JSON", "remove it and make it again"):
        if (size := os.stat(path).st_size) > LARGEST_JSON:
            raise InputError(f"{path}: {size:,} bytes, more than the {LARGEST_JSON:,} of JSON that are read")
        return json.loads(Path(path).read_bytes())
