"""GPUs without any: a command `nvidia-smi` that lists made-up ones."""

import os
import signal
import subprocess
import sys
from subprocess import PIPE

import pytest
from adaptive_neon.jobs.gpus import take_gpu, visible_gpus


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (None, ["0", "1", "2"]),
        ("1", ["1"]),
        ("2,0", ["2", "0"]),
        ("0, 1", ["0", "1"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,7,1", ["0"]),
        ("GPU-2c", ["GPU-2c"]),
        ("MIG-5d,1", ["MIG-5d", "1"]),
    ],
)
def test_cuda_visible_devices_from_outside_counts(machine, monkeypatch, chosen, names):
    machine(3)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert list(visible_gpus()) == names


def test_a_name_stands_for_the_hardware(machine, monkeypatch):
    machine(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-0a")
    assert visible_gpus() == {"2": "GPU-2c", "GPU-0a": "GPU-0a"}


def test_a_machine_without_gpus(machine, monkeypatch):
    machine(0)
    assert visible_gpus() == {}
    take_gpu()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("PATH", "")
    assert visible_gpus() == {}


@pytest.fixture
def start(machine):
    """Starts a process that takes a GPU and holds it until it is killed; gives it and a reader of its lines."""
    processes = []
    code = (
        "import os, sys, time\n"
        "from adaptive_neon.jobs.gpus import take_gpu\n"
        "sys.stdout.reconfigure(line_buffering=True)\n"
        "take_gpu()\n"
        "print('sees', os.environ['CUDA_VISIBLE_DEVICES'])\n"
        "time.sleep(600)"
    )

    def run(chosen=None):
        environment = os.environ | ({"CUDA_VISIBLE_DEVICES": chosen} if chosen else {})
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=PIPE, text=True)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def lines(process, count):
    return [process.stdout.readline().strip() for _ in range(count)]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_jobs_never_meet_on_a_gpu(machine, start, end):
    machine(2)
    first, second = start(), start()
    seen = [lines(process, 2)[1] for process in (first, second)]
    assert sorted(seen) == ["sees 0", "sees 1"]
    third = start()
    assert lines(third, 1) == ["waits for one of the GPUs 0, 1"]
    second.send_signal(end)
    assert lines(third, 2)[1] == seen[1]


def test_the_same_gpu_under_two_names_is_one(machine, start):
    machine(2)
    assert lines(start("GPU-1b"), 2)[1] == "sees GPU-1b"
    other = start("1,0")
    assert lines(other, 2)[1] == "sees 0"
