"""Writing files so that a final name never holds half a file; reading JSON that may be damaged; digests."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adaptive_neon.errors import InputError

FULL = 2**20  # bytes; a disk with less left is full


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
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except Exception as error:
        # Some writers take the space in advance, others say no more than that they failed.
        said = any(words in str(error) for words in ("No space left", "quota exceeded"))
        if said or shutil.disk_usage(path.parent).free < FULL:
            raise InputError(f"{path}: no space left on the disk; free some and start again") from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); remove it and make it again") from None
