"""The tiny study on a real Slurm ends with the result of a local run, whatever happens to its jobs."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from workflow import runner
from workflow.runner import SMALL

RESULT = "results/tiny/summary.json"
PROFILE = runner.ROOT / "profiles/slurm/config.yaml"
# `snakemake` that looks at the queue every two seconds. The plugin waits ten seconds longer after each look that
# finds no job ended, which for jobs of seconds is most of a test's time.
IMPATIENT = """
import asyncio
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
RemoteExecutor.sleep = lambda self: asyncio.sleep(2)
main()
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("local")
    process = runner.run(folder, SMALL)
    assert process.returncode == 0, process.stdout
    return (folder / RESULT).read_bytes()


@pytest.fixture
def start(cluster, tmp_path):
    """Starts the study on the cluster; what it says goes to the file `said`."""
    processes = []

    def run(profile: Path = PROFILE) -> subprocess.Popen:
        python, _, _, *words = runner.command(tmp_path, SMALL, "--profile", profile.parent)
        with open(tmp_path / "said", "a") as said:
            command = [python, "-c", IMPATIENT, *words]
            processes.append(subprocess.Popen(command, env=cluster.environment, stdout=said, stderr=said))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()
    cluster.cancel_all()


def said(folder: Path) -> str:
    return (folder / "said").read_text()


def test_the_result_is_that_of_a_local_run(start, local, tmp_path):
    assert start().wait(timeout=1200) == 0, said(tmp_path)
    assert (tmp_path / RESULT).read_bytes() == local
    submitted = re.findall(r"rule_(\w+)", said(tmp_path))
    assert {"base", "synthetic", "finetune", "generate", "measure"} <= set(submitted)
    assert "data" not in submitted  # compute nodes may have no way to the internet


def test_a_study_survives_what_happens_on_a_cluster(cluster, start, local, tmp_path):
    def running(rule):
        return [
            job for job, (state, name) in cluster.jobs().items() if state == "RUNNING" and name.startswith(rule)
        ]

    def wait_for(condition):
        def or_over():
            assert study.poll() is None, "the study is over\n" + said(tmp_path)
            return condition()

        cluster.wait_until(or_over, 600)

    # Only a second attempt of the fine-tuning gets memory enough for Python and torch.
    profile = yaml.safe_load(PROFILE.read_text())
    profile["set-resources"]["finetune"]["mem_mb"] = "150 if attempt == 1 else 4000"
    scarce = tmp_path / "scarce/config.yaml"
    scarce.parent.mkdir()
    scarce.write_text(yaml.safe_dump(profile))
    study = start(scarce)

    wait_for(lambda: running("rule_base"))
    cluster.stop_slurmd()
    time.sleep(2)
    cluster.start_slurmd()

    wait_for(lambda: running("rule_synthetic"))
    (synthetic,) = running("rule_synthetic")
    cluster.run("scancel", synthetic)

    def failed():
        return re.findall(r"SLURM-job '(\d+)' failed, SLURM status is: '(\w+)'", said(tmp_path))

    # The base model's images need neither of the two jobs, so a running generate says nothing of them.
    wait_for(lambda: len(failed()) == 2)
    assert failed()[0] == (synthetic, "CANCELLED")  # the other one is the fine-tuning
    assert "exceeded memory limit" in "".join(
        log.read_text() for log in (tmp_path / ".snakemake/slurm_logs").rglob("rule_finetune/**/*.log")
    )

    wait_for(lambda: running("rule_generate"))
    left = running("rule_generate")
    assert len(failed()) == 2, said(tmp_path)
    study.send_signal(signal.SIGKILL)
    study.wait()
    study = start(scarce)
    wait_for((tmp_path / "results/tiny/replica-0/grid/2/points/metrics.json").exists)
    assert not set(left) & set(cluster.jobs())
    assert study.wait(timeout=1200) == 0, said(tmp_path)
    assert (tmp_path / RESULT).read_bytes() == local
