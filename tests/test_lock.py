import os
import subprocess
import sys
from pathlib import Path

import pytest
from adaptive_neon import lock
from adaptive_neon.lock import RUN, hold_lock, is_replaced


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Whatever a test does to the variable ends with it, and so do its locks."""
    monkeypatch.setenv(RUN, "")
    monkeypatch.setattr(lock, "_held", [])


def holding(folder):
    """A process that takes the lock of a folder, in a run of its own, and holds it until its input ends."""
    code = "import sys; from adaptive_neon.lock import hold_lock; hold_lock(sys.argv[1]); print('held'); input()"
    command = [sys.executable, "-u", "-c", code, folder]
    environment = os.environ | {RUN: ""}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_run_at_a_time_and_a_dead_one_leaves_no_lock(tmp_path, refuses):
    with holding(tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        content = (tmp_path / ".lock").read_text()
        with refuses(tmp_path, "another run is at work here"):
            hold_lock(tmp_path)
        assert (tmp_path / ".lock").read_text() == content  # the refused one left no trace
        other.kill()
    hold_lock(tmp_path)
    assert (tmp_path / ".lock").read_text() != content


def test_a_job_belongs_to_the_run_that_holds_the_lock(tmp_path, monkeypatch):
    assert not is_replaced()  # a job outside any run
    with holding(tmp_path) as other:
        other.stdout.readline()
        monkeypatch.setenv(RUN, f"{(tmp_path / '.lock').read_text()} {tmp_path / '.lock'}")
        other.kill()
    assert not is_replaced()  # a run that is over: its jobs on other machines may go on
    with holding(tmp_path) as other:
        other.stdout.readline()
        assert is_replaced()
        other.kill()


def test_jobs_end_when_the_results_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv(RUN, f"abc {tmp_path / 'results/.lock'}")
    assert is_replaced()


def test_a_folder_that_cannot_be_made(tmp_path, refuses):
    Path(tmp_path / "results").write_text("not a folder")
    with refuses("results/tiny: cannot be written", "Not a directory"):
        hold_lock(tmp_path / "results/tiny")


def test_a_run_may_hold_several_folders(tmp_path):
    for name in ("digits", "toy"):
        hold_lock(tmp_path / name)
    assert not is_replaced()
    (tmp_path / "digits/.lock").write_text("another")
    assert is_replaced()
