"""Locks that die with the process that holds them, however that ends; and whose run a job belongs to."""

import errno
import fcntl
import os
import sys
import uuid
from pathlib import Path

from adaptive_neon.errors import InputError

RUN = "ADAPTIVE_NEON_RUN"  # environment variable of all jobs of a run: its name, a space, the paths of its locks
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_held = []  # open files: closing one would release its lock


def try_lock(path: str | Path) -> bool:
    """Take a lock until this process ends; False if a living process has it."""
    try:
        file = os.open(path, os.O_RDONLY)  # another user's file in /tmp may be opened, but not with O_CREAT
    except FileNotFoundError:
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    except OSError as error:  # some clusters mount their file systems so
        if error.errno not in NO_LOCKS:
            raise
        print(f"{path}: this file system has no locks; take care that no two runs meet here", file=sys.stderr)
    _held.append(file)
    return True


def lock_results(folder: str | Path) -> None:
    """Take the lock of a folder for a new run, until this process ends.

    Raises:
        InputError: a living process has it, or the folder cannot be written.
    """
    path = Path(folder).resolve() / ".lock"
    run, _, others = os.environ.get(RUN, "").partition(" ")
    run = run or uuid.uuid4().hex
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not try_lock(path):
            raise InputError(f"{folder}: another run is at work here; wait for it to end")
        path.write_text(run)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); make it writable") from None
    os.environ[RUN] = f"{run} {os.pathsep.join(filter(None, [others, str(path)]))}"


def another_run_has_begun() -> bool:
    """Whether the run that this process works for is over and another has begun in its folder.

    A job on another machine outlives a workflow that was killed, and must not write beside the next one.
    """
    run, _, paths = os.environ.get(RUN, "").partition(" ")
    try:
        return any(Path(path).read_text() != run for path in filter(None, paths.split(os.pathsep)))
    except FileNotFoundError:
        return True
    except OSError:  # the file system is busy: no answer
        return False
