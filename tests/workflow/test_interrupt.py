"""Killed anywhere, a run continues and ends with the result of an undisturbed one, bit for bit."""

import os
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from . import runner
from .runner import SMALL

REPLICA = "results/tiny/replica-0"
# stage → what shows that the stage is in the middle of its work
MARKS = {
    "base": "results/tiny/base/.model.partial.pt",
    "finetune": f"{REPLICA}/finetune/2/.model.partial.pt",
    "generate": f"{REPLICA}/grid/2/points/.images.partial.pt",
    "measure": "results/tiny/logs/replica-0/grid-2/points-measure.log",
}
# the logs of the stages that keep a rolling state
RESUMING = ("base.log", "replica-0/finetune-2.log", "replica-0/grid-2/points-generate.log")


def start(folder):
    return subprocess.Popen(
        runner.command(folder, SMALL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def wait_until(condition, process):
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)


def jobs_of(process):
    """The processes of the scripts that a run has started, without those that are ending."""
    jobs = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "/scripts/" in str(child.cmdline()):
                jobs.append(child)
    return jobs


@pytest.mark.parametrize("victim", ["job", "snakemake"])
def test_kill_9_in_each_long_stage_loses_nothing(undisturbed, tmp_path, victim):
    for stage, mark in MARKS.items():
        process = start(tmp_path)
        wait_until((tmp_path / mark).exists, process)
        jobs = jobs_of(process)
        for killed in jobs if victim == "job" else [process]:
            killed.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(jobs, timeout=20)
        assert not alive, f"{stage}: jobs outlived their snakemake"

    process = runner.run(tmp_path, SMALL)
    assert process.returncode == 0, process.stdout
    assert (tmp_path / "results/tiny/summary.json").read_bytes() == undisturbed
    assert not list(tmp_path.rglob("*.partial.pt"))
    if victim == "job":  # killed in the act; a job that only loses its snakemake may still come to its end
        for log in RESUMING:
            assert "continues from the state" in (tmp_path / "results/tiny/logs" / log).read_text()


def test_a_living_run_is_respected_and_a_dead_one_leaves_no_lock(tmp_path):
    process = start(tmp_path)
    try:
        wait_until((tmp_path / "results/tiny/.lock").exists, process)
        second = runner.run(tmp_path, SMALL)
        assert second.returncode != 0
        assert "another run is at work here" in second.stdout
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert runner.run(tmp_path, SMALL, "--until", "data").returncode == 0
