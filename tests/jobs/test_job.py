import os
import re
import signal
import subprocess
import sys
from subprocess import PIPE

import pytest


@pytest.fixture
def start(tmp_path):
    """Starts a process that runs the given lines as a job; ends what is still running after the test."""
    processes = []

    def run(*lines, parent=None, threads=1, imports="sys"):
        code = "\n".join(
            [
                f"import {imports}",
                "from adaptive_neon.errors import InputError",
                "from adaptive_neon.jobs.job import job",
                f"with job({str(tmp_path / 'measure.log')!r}, {threads}):",
                *(f"    {line}" for line in lines),
            ]
        )
        environment = os.environ | {"ADAPTIVE_NEON_PARENT": str(parent or os.getpid())}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", code], env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True
            )
        )
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "measure.log"


def test_prints_go_to_the_log(start, log):
    process = start("print('fid 2.5')", "print('a warning', file=sys.stderr)")
    output, errors = process.communicate()
    assert process.returncode == 0
    assert output == errors == ""
    first, *rest = log.read_text().splitlines()
    assert re.fullmatch(r"start-up \d+\.\d\d s", first)
    assert rest == ["fid 2.5", "a warning"]


def test_the_log_is_written_line_by_line(start, log):
    """For those who watch it, and for what is left of a killed job."""
    process = start("print('first')", "print(sys.__stdout__.write('ready\\n'), sys.__stdout__.flush())", "input()")
    assert process.stdout.readline() == "ready\n"
    assert "\nfirst\n" in log.read_text()


def test_bad_input_is_one_line(start, log):
    process = start("raise InputError('model.safetensors: no such file; give another')")
    output, errors = process.communicate()
    assert process.returncode == 1
    assert output == ""
    assert errors == "adaptive-neon: model.safetensors: no such file; give another\n"
    assert log.read_text().endswith("\nmodel.safetensors: no such file; give another\n")


@pytest.mark.parametrize("message", ["of the code", "of\\nmany lines"])
def test_a_defect_is_one_line_and_a_traceback_in_the_log(start, log, message):
    process = start(f"raise ZeroDivisionError('{message}')")
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("adaptive-neon: ZeroDivisionError: of")
    assert errors.count("\n") == 1
    assert str(log) in errors
    assert "Traceback (most recent call last)" in log.read_text()


def test_threads_of_torch(start, log):
    process = start("print(torch.get_num_threads(), 'threads')", threads=3, imports="torch")
    process.communicate()
    assert process.returncode == 0
    assert log.read_text().endswith("3 threads\n")


def test_torch_is_not_imported_for_its_threads(start, log):
    start("print('torch' in sys.modules)").communicate()
    assert log.read_text().endswith("\nFalse\n")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("reaped", [True, False])
def test_a_job_ends_with_its_parent(start, log, end, reaped):
    """Also if nobody asks for the parent's exit code."""
    with subprocess.Popen(["sleep", "600"]) as parent:
        job = start("sys.__stdout__.write('ready\\n')", "sys.__stdout__.flush()", "input()", parent=parent.pid)
        assert job.stdout.readline() == "ready\n"
        assert job.poll() is None
        parent.send_signal(end)
        if reaped:
            parent.wait()
        assert job.wait(timeout=60) == 1


def test_a_job_without_a_parent_ends_at_once(start):
    gone = subprocess.Popen(["true"])
    gone.wait()
    job = start("import time", "time.sleep(600)", parent=gone.pid)
    assert job.wait(timeout=60) == 1


def test_a_job_ends_when_another_run_has_begun(start, tmp_path, monkeypatch):
    (tmp_path / ".lock").write_text("mine")
    monkeypatch.setenv("ADAPTIVE_NEON_RUN", f"mine {tmp_path / '.lock'}")
    job = start("sys.__stdout__.write('ready\\n')", "sys.__stdout__.flush()", "input()")
    assert job.stdout.readline() == "ready\n"
    (tmp_path / ".lock").write_text("another")
    assert job.wait(timeout=60) == 1


def test_a_log_that_cannot_be_written_is_one_line(start, log):
    log.mkdir()
    _, errors = start("print('never')").communicate()
    assert errors.startswith("adaptive-neon: IsADirectoryError: ")
    assert errors.count("\n") == 1
