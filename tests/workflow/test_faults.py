"""What machines and people do to a study; docs/faults.md is the table. Much of it is slow: make faults."""

import os
import random
import re
import signal
import subprocess
import time
from datetime import datetime, timedelta

import psutil
import pytest

from . import runner
from .runner import ROOT, SMALL
from .test_interrupt import jobs_of, start

RESULTS = "results/tiny"


def line_of(process):
    """The one line with which a study that cannot go on ends."""
    assert process.returncode == 1, process.stdout
    assert "Traceback" not in process.stdout
    (line,) = {text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")}
    return line


def test_every_row_of_the_table_has_its_tests():
    rows = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 9
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


@pytest.mark.slow
def test_twenty_random_kills(tmp_path):
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    process = runner.run(undisturbed, SMALL)
    assert process.returncode == 0, process.stdout
    expected = (undisturbed / RESULTS / "summary.json").read_bytes()
    begun = sorted((undisturbed / RESULTS / "logs").rglob("*.log"), key=lambda log: log.stat().st_mtime)
    whole = begun[-1].stat().st_mtime - begun[0].stat().st_mtime

    dice = random.Random(0)
    kills = studies = 0
    while kills < 20:
        folder = tmp_path / f"study-{studies}"
        folder.mkdir(exist_ok=True)
        process = start(folder)
        try:  # Snakemake takes a few seconds to begin, and again after each kill
            process.wait(timeout=5 + dice.uniform(0, whole / 5))
        except subprocess.TimeoutExpired:
            jobs = jobs_of(process)
            victims = dice.choice([[process], jobs, [process, *jobs]]) or [process]
            for victim in victims:
                try:
                    victim.send_signal(signal.SIGKILL)
                except psutil.NoSuchProcess:
                    continue
            process.wait()
            _, alive = psutil.wait_procs(jobs, timeout=20)
            assert not alive, "jobs outlived their snakemake"
            kills += 1
        else:
            assert (folder / RESULTS / "summary.json").read_bytes() == expected
            studies += 1
    process = runner.run(folder, SMALL)
    assert process.returncode == 0, process.stdout
    assert (folder / RESULTS / "summary.json").read_bytes() == expected


@pytest.fixture
def disk(tmp_path):
    """Mounts a file system for the results; it can be made larger, and read-only."""
    folder = tmp_path / "results"
    folder.mkdir()

    def mount(options):
        remount = "remount," if os.path.ismount(folder) else ""
        command = ["mount", "-t", "tmpfs", "-o", remount + options, "tmpfs", folder]
        if (mounted := subprocess.run(command, capture_output=True, text=True)).returncode:
            pytest.skip(f"mounting takes root: {mounted.stderr.strip()}")

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_read_only_results(disk, tmp_path):
    disk("size=10m")
    disk("ro")
    assert line_of(runner.run(tmp_path, SMALL)) == (
        "adaptive-neon: results/tiny: cannot be written (Read-only file system); make it writable"
    )


@pytest.mark.slow
def test_a_disk_that_is_full_again_and_again(disk, tmp_path):
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    process = runner.run(undisturbed, SMALL)
    assert process.returncode == 0, process.stdout
    whole = sum(path.stat().st_blocks * 512 for path in (undisturbed / "results").rglob("*"))
    for share in (0.4, 0.6, 0.8, 0.9):
        disk(f"size={int(share * whole)}")
        process = runner.run(tmp_path, SMALL)
        assert process.returncode == 1
        assert "Traceback" not in process.stdout
        assert "o space left on" in process.stdout
    disk("size=50m")
    process = runner.run(tmp_path, SMALL)
    assert process.returncode == 0, process.stdout
    assert (tmp_path / RESULTS / "summary.json").read_bytes() == (
        undisturbed / RESULTS / "summary.json"
    ).read_bytes()


def test_training_that_is_no_longer_finite(tmp_path):
    process = runner.run(tmp_path, {"base": {"training": {"lr": 1e30}}}, "--until", "base")
    assert "training diverged at step" in line_of(process)
    assert not (tmp_path / RESULTS / "base/model.safetensors").exists()


def cut(content):
    return content[: len(content) // 2]


def alter(content):
    """Another bit, in the middle of the numbers."""
    changed = bytearray(content)
    changed[len(changed) * 3 // 4] ^= 1
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [cut, alter])
@pytest.mark.parametrize(
    "name", ["base/model.safetensors", "replica-0/synthetic/images.npz", "replica-0/finetune/2/state.pt"]
)
def test_files_that_changed_after_they_were_made(copy_of_finished, name, spoil):
    path = copy_of_finished / RESULTS / name
    times = path.stat()
    path.write_bytes(spoil(path.read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that nobody sees it by the date
    more = {"finetune": {"snapshots_kimg": [1, 2, 3]}}
    assert f"{RESULTS}/{name}: " in line_of(runner.run(copy_of_finished, more, "--until", "finetune"))


@pytest.mark.slow
def test_a_clock_that_was_moved_back(copy_of_finished):
    """The files of yesterday are of tomorrow; Snakemake says so, and goes on once they are not."""
    more = {"finetune": {"snapshots_kimg": [1, 2, 3]}}
    made = sorted(path for path in (copy_of_finished / RESULTS).rglob("*") if path.is_file())
    times = {path: path.stat().st_mtime for path in made}
    for path, then in times.items():
        os.utime(path, times=(then, then + timedelta(days=1).total_seconds()))
    process = runner.run(copy_of_finished, more, "--until", "finetune")
    assert process.returncode == 1
    assert "clock skew" in process.stdout
    assert f"{datetime.now() + timedelta(days=1):%Y-%m-%d}" in process.stdout
    for path, then in times.items():
        os.utime(path, times=(then, then))
    process = runner.run(copy_of_finished, more, "--until", "finetune")
    assert process.returncode == 0, process.stdout
    assert {job[0] for job in runner.jobs(process.stdout)} == {"finetune"}
    assert time.time() > (copy_of_finished / RESULTS / "replica-0/finetune/3/model.safetensors").stat().st_mtime
