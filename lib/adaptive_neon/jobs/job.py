"""What every job of the workflow does around its work: log, threads, errors, and an end with its parent."""

import itertools
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TextIO

import psutil
from tqdm import tqdm

from adaptive_neon.errors import InputError, printable
from adaptive_neon.jobs.foreign import reason
from adaptive_neon.jobs.lock import RUN, another_run_has_begun

ERROR = "adaptive-neon: "  # begins the one line of a job that failed
# glibc then keeps what a batch frees for the next one. Otherwise the kernel takes it back and must zero it anew,
# which is a third of the time of a job that draws 3,000 images of the digits.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_MMAP_THRESHOLD_": str(2**30)}
ERASE = "\r\x1b[K"  # the line that a terminal's cursor is on, where the run tells its progress


def tie_jobs_to_workflow(main: bool) -> None:
    """Called by the workflow: its jobs end when this process does, find this library in any environment, and keep
    the memory that they free.

    Args:
        main: this is the workflow itself, not the process that runs one of its jobs, on a cluster perhaps.

    Raises:
        InputError: such a process comes too late, another run has begun.
    """
    if main:
        os.environ.pop(RUN, None)
    elif another_run_has_begun():
        raise InputError("another run has begun in this folder; this job belongs to one that is over")
    os.environ["ADAPTIVE_NEON_PARENT"] = str(os.getpid())
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    os.environ.update(MALLOC | os.environ)


@contextmanager
def job(log: str, threads: int) -> Iterator[None]:
    """Run the block as one job.

    Prints go to the file `log`, which begins with the CPU seconds that the process took to start. Torch takes
    `threads` threads (BLAS and OpenMP follow the environment that the workflow sets). An InputError ends the
    process with its one line. The process ends when the one named by the environment variable
    ADAPTIVE_NEON_PARENT does, or when another run has begun (`lock.another_run_has_begun`).
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    parent = int(os.environ["ADAPTIVE_NEON_PARENT"])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    terminal = sys.stderr
    try:
        with _output(log) as (file, terminal):
            sys.stdout = sys.stderr = file
            print(f"start-up {time.process_time():.2f} s")
            try:
                yield
            except Exception as error:
                with suppress(OSError):  # the disk may be full
                    print(error) if isinstance(error, InputError) else traceback.print_exc()
                raise
    except InputError as error:
        _end(str(error), terminal)
    except Exception as error:
        _end(f"{type(error).__name__}: {reason(error)}; see {log}", terminal)


def _end(message: str, terminal: TextIO) -> NoReturn:
    print(f"{ERASE * terminal.isatty()}{ERROR}{printable(message)}", file=terminal)
    sys.exit(1)


@contextmanager
def _output(log: str) -> Iterator[tuple[TextIO, TextIO]]:
    """Where prints go, and where the one line at the end goes.

    What torchrun starts for a job has its log as its terminal; the prints of the first process stand for all.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        with open(log, "w", buffering=1) as file:
            yield file, sys.stderr
    elif os.environ["RANK"] == "0":
        yield sys.stdout, sys.stderr
    else:
        with open(os.devnull, "w") as nowhere:
            yield nowhere, sys.stderr


def _end_with(parent: int) -> None:
    """A job whose workflow was killed must not go on writing beside the next run."""
    try:
        process = psutil.Process(parent)
        for tick in itertools.count():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                break
            if tick % 10 == 0 and another_run_has_begun():
                break
            time.sleep(0.5)
    except psutil.NoSuchProcess:
        pass
    os._exit(1)


def progress_bar(total: int) -> tqdm:
    """A bar over a number of images, drawn a few times a minute: its place is a log."""
    return tqdm(total=total, unit=" images", unit_scale=True, mininterval=10, file=sys.stderr)
