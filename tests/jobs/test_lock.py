import os
import subprocess
import sys
from pathlib import Path

import pytest
from adaptive_neon.jobs import lock
from adaptive_neon.jobs.lock import RUN, another_run_has_begun, lock_results


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Whatever a test does to the variable ends with it, and so do its locks."""
    monkeypatch.setenv(RUN, "")
    monkeypatch.setattr(lock, "_held", [])


def holding(folder):
    """A process that takes the lock of a folder, in a run of its own, and holds it until its input ends."""
    code = (
        "import sys; from adaptive_neon.jobs import lock; lock.lock_results(sys.argv[1]); print('held'); input()"
    )
    command = [sys.executable, "-u", "-c", code, folder]
    environment = os.environ | {RUN: ""}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_run_at_a_time_and_a_dead_one_leaves_no_lock(tmp_path, refuses):
    with holding(tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        content = (tmp_path / ".lock").read_text()
        with refuses(tmp_path, "another run is at work here"):
            lock_results(tmp_path)
        assert (tmp_path / ".lock").read_text() == content  # the refused one left no trace
        other.kill()
    lock_results(tmp_path)
    assert (tmp_path / ".lock").read_text() != content


def test_a_job_belongs_to_the_run_that_holds_the_lock(tmp_path, monkeypatch):
    assert not another_run_has_begun()  # a job outside any run
    with holding(tmp_path) as other:
        other.stdout.readline()
        monkeypatch.setenv(RUN, f"{(tmp_path / '.lock').read_text()} {tmp_path / '.lock'}")
        other.kill()
    assert not another_run_has_begun()  # a run that is over: its jobs on other machines may go on
    with holding(tmp_path) as other:
        other.stdout.readline()
        assert another_run_has_begun()
        other.kill()


def test_jobs_end_when_the_results_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv(RUN, f"abc {tmp_path / 'results/.lock'}")
    assert another_run_has_begun()


def test_a_folder_that_cannot_be_made(tmp_path, refuses):
    Path(tmp_path / "results").write_text("not a folder")
    with refuses("results/tiny: cannot be written", "Not a directory"):
        lock_results(tmp_path / "results/tiny")


def test_a_run_may_hold_several_folders(tmp_path):
    for name in ("digits", "toy"):
        lock_results(tmp_path / name)
    assert not another_run_has_begun()
    (tmp_path / "digits/.lock").write_text("another")
    assert another_run_has_begun()
