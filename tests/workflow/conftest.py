"""One finished tiny study for all tests; a test that changes it works on a copy."""

import shutil
from pathlib import Path

import pytest

from . import runner


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished tiny study, with what it told in terminal.txt. Read only, but for dry runs."""
    folder = tmp_path_factory.mktemp("finished")
    process = runner.run(folder, None, "--logger", "adaptive-neon")
    assert process.returncode == 0, process.stdout
    (folder / "terminal.txt").write_text(process.stdout)
    return folder


@pytest.fixture
def copy_of_finished(finished, tmp_path) -> Path:
    """A copy of the finished study, its modification times kept."""
    return shutil.copytree(finished, tmp_path / "study")
