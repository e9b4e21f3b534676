"""A lock that dies with the process that holds it, however that ends."""

import fcntl
from pathlib import Path

from adaptive_neon.errors import InputError

_held = []  # open files: closing one would release its lock


def hold_lock(folder: str | Path) -> None:
    """Take the lock of a folder until this process ends.

    Raises:
        InputError: a living process has it.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    file = open(Path(folder) / ".lock", "w")  # noqa: SIM115 (open as long as the lock is held)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(f"{folder}: another run is at work here; wait for it to end") from None
    _held.append(file)
