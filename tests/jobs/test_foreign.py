"""The gate for files from elsewhere."""

import os
import warnings

import pytest
from adaptive_neon.jobs.foreign import EXPANSION, FREE, bytes_on_disk, reading, require_plausible


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"x" * 1000)
    return path


@pytest.mark.parametrize(
    "error",
    [ValueError("two\nlines"), RecursionError(), MemoryError(), KeyError("a"), OSError("no number"), EOFError()],
    ids=lambda error: type(error).__name__,
)
def test_any_error_of_a_parser_is_a_fault_of_the_file(file, refuses, error):
    with refuses(file, "not a thing, or a damaged one", "; mend it"), reading(file, "a thing", "mend it"):
        raise error


def test_what_cannot_be_opened_says_why(file, refuses):
    with refuses(file, "Permission denied; give a thing that can be read"), reading(file, "a thing"):
        raise PermissionError(13, "Permission denied", str(file))
    with refuses("absent: no such file; give the path of a thing"), reading("absent", "a thing"):
        os.stat("absent")


def test_a_pipe_is_not_waited_for(tmp_path, refuses):
    os.mkfifo(tmp_path / "pipe")
    with refuses("pipe", "a pipe or a device"), reading(tmp_path / "pipe", "a thing"):
        raise AssertionError("opened")


def test_a_parsers_warnings_stay_inside(file):
    with warnings.catch_warnings(action="error"), reading(file, "a thing"):
        warnings.warn("of no use to the user", stacklevel=1)


def test_a_declared_size_must_be_plausible(file, refuses):
    require_plausible(file, FREE)
    require_plausible(file, EXPANSION * 2**30, stored=2**30)
    with refuses(file, f"declares {FREE + 1:,} bytes"):
        require_plausible(file, FREE + 1)
    with refuses(file, "more than the"):
        require_plausible(file, EXPANSION * 2**30 + 1, stored=2**30)


def test_holes_take_no_space(tmp_path):
    with open(tmp_path / "sparse", "wb") as sparse:
        sparse.write(b"header")
        sparse.truncate(2**30)
    assert bytes_on_disk(tmp_path / "sparse") < 2**20
