"""Jobs that use a GPU ask for one where the machine has some, and for none elsewhere."""

import re

import pytest

from . import runner

ONE = {"base": 1, "synthetic": 1, "finetune": 1, "generate": 1}
INCEPTION = {"features": {"extractor": "inception", "weights": "default_1.pt"}}
TWO_PROCESSES = {
    "run": {"training_processes": 2},
    "base": {"training": {"micro_batch": 50}},
    "finetune": {"micro_batch": 50},
}


@pytest.mark.parametrize(
    ("gpus", "config", "asking"),
    [
        (2, {}, ONE),
        (0, {}, {}),
        (2, {"run": {"device": "cpu"}}, {}),
        (2, TWO_PROCESSES, ONE | {"base": 2, "finetune": 2}),
        (2, INCEPTION, ONE | {"reference": 1, "measure": 1, "figures": 1}),
    ],
)
def test_who_asks_for_how_many_gpus(tmp_path, machine, gpus, config, asking):
    machine(gpus)
    process = runner.run(tmp_path, config, "--dry-run")
    assert process.returncode == 0, process.stdout
    found = {
        match["rule"]: int(gpu[1])
        for match in runner.JOB.finditer(process.stdout)
        if (gpu := re.search(r"\bgpu=(\d)", match["body"]))
    }
    assert {rule: count for rule, count in found.items() if count} == asking


def test_each_training_process_has_a_gpu_of_its_own(tmp_path, machine):
    """No network runs on these GPUs, but a process waits until it has taken one."""
    machine(2)
    process = runner.run(tmp_path, TWO_PROCESSES, "--quiet", "all", "--until", "base")
    assert process.returncode == 0, process.stdout


def test_more_training_processes_than_gpus(tmp_path, machine):
    machine(1)
    process = runner.run(tmp_path, TWO_PROCESSES, "--quiet", "all", "--until", "base")
    assert process.returncode == 1
    (said,) = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert said == "adaptive-neon: config: run.training_processes: more than the 1 GPUs here; lower it"
