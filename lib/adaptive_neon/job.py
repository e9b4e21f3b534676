"""What every job of the workflow does around its work: log, threads, errors, and an end with its parent."""

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import psutil
from tqdm import tqdm

from adaptive_neon.errors import InputError

ERROR = "adaptive-neon: "  # begins the one line of a job that failed


def adopt_jobs() -> None:
    """Called by the workflow: its jobs end when this process does, and find this library in any environment."""
    os.environ["ADAPTIVE_NEON_PARENT"] = str(os.getpid())
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])


@contextmanager
def job(log: str, threads: int) -> Iterator[None]:
    """Run the block as one job.

    Prints go to the file `log`, which begins with the seconds that the process took to start; the terminal gets
    one line at the end. Torch takes
    `threads` threads (BLAS and OpenMP follow the environment that the workflow sets). An InputError ends
    the process with its one line. The process ends when the one named by the environment variable
    ADAPTIVE_NEON_PARENT does.
    """
    created = psutil.Process().create_time()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    parent = int(os.environ["ADAPTIVE_NEON_PARENT"])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with _output(log) as (file, terminal):
        sys.stdout = sys.stderr = file
        print(f"start-up {time.time() - created:.2f} s")
        try:
            yield
            print(f"{log.removesuffix('.log')}: {time.time() - created:.1f} s", file=terminal)
        except InputError as error:
            print(error)
            print(f"{ERROR}{error}", file=terminal)
            sys.exit(1)
        except Exception as error:
            traceback.print_exc()
            print(f"{ERROR}{type(error).__name__}: {' '.join(str(error).split())}; see {log}", file=terminal)
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
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.5)
    except psutil.NoSuchProcess:
        pass
    os._exit(1)


def progress_bar(total: int) -> tqdm:
    """A bar over a number of images, drawn a few times a minute: its place is a log."""
    return tqdm(total=total, unit=" images", unit_scale=True, mininterval=10, file=sys.stderr)
