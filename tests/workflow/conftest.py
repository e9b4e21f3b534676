"""One finished tiny study for all tests; a test that changes it works on a copy."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from . import runner


def run_once(
    tmp_path_factory, name: str, *flags: str, config: dict | None = None, target: str = "all", fresh: bool = False
) -> Path:
    """The folder `name` in which a tiny run was brought to its end, once for all workers.

    What it told is in terminal.txt.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "terminal.txt").exists():
            folder.mkdir(exist_ok=True)
            process = runner.run(folder, config, *flags, target=target, fresh=fresh)
            assert process.returncode == 0, process.stdout
            (folder / "terminal.txt").write_text(process.stdout)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished tiny study, with what it told in terminal.txt. Read only, but for dry runs."""
    return run_once(tmp_path_factory, "finished", "--logger", "adaptive-neon")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> bytes:
    """The summary of a finished study `runner.SMALL`; those that were killed end with the same."""
    folder = run_once(tmp_path_factory, "undisturbed", config=runner.SMALL, fresh=True)
    return (folder / "results/tiny/summary.json").read_bytes()


@pytest.fixture
def copy_of_finished(finished, tmp_path) -> Path:
    """A copy of the finished study, its modification times kept."""
    return shutil.copytree(finished, tmp_path / "study")
