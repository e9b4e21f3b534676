"""`make` with odd names of experiments: nothing but a folder directly under results/ is ever removed."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def clone(tmp_path, root):
    """A folder with the Makefile, an installed environment, results of two studies, and what must stay."""
    shutil.copy(root / "Makefile", tmp_path)
    for folder in ("results/digits", "results/other", "lib", "tests", "experiments", "schemas"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").touch()
    return tmp_path


def make(folder, *arguments):
    return subprocess.run(["make", "-C", folder, *arguments], capture_output=True, text=True, timeout=60)


def folders(path):
    return sorted(file.parent.relative_to(path).as_posix() for file in path.rglob("file"))


def test_clean_removes_one_study(clone):
    before = folders(clone)
    assert make(clone, "clean", "EXPERIMENT=other").returncode == 0
    assert folders(clone) == [name for name in before if name != "results/other"]


@pytest.mark.parametrize(
    "argument",
    [
        *("EXPERIMENT=", "EXPERIMENT=digits lib", "EXPERIMENT=../tests", "EXPERIMENT=.", "EXPERIMENT=/"),
        *(
            "EXPERIMENT=x;rm -r lib",
            "EXPERIMENT=$(shell rm -r lib)",
            "EXPERIMENT=`rm -r lib`",
            "EXPERIMENT=digits'",
        ),
        *("EXPERIMENT=digits\nlib", "EXPERIMENT=*", "EXPERIMENT=-rf", "EXPERIMENT=digits/../../lib"),
    ],
)
@pytest.mark.parametrize("target", ["clean", "study", "plan", "estimate"])
def test_what_is_no_name_is_refused(clone, argument, target):
    before = folders(clone)
    run = make(clone, target, argument)
    assert run.returncode == 2
    assert "EXPERIMENT: give the name of an experiment" in run.stderr
    assert folders(clone) == before


def test_the_folder_of_results_follows_from_the_name(clone):
    make(clone, "clean", "RESULTS=lib", "EXPERIMENT=other")
    assert (clone / "lib/file").exists() and not (clone / "results/other").exists()


def test_a_missing_experiment_is_one_line(root):
    if not (root / ".venv/installed").exists():
        pytest.skip("the environment of make is not installed")
    run = make(root, "plan", "EXPERIMENT=digits-fow")
    lines = [line for line in run.stderr.splitlines() if not line.startswith("make")]
    assert lines == ["adaptive-neon: experiments/digits-fow.yaml: no such file; did you mean digits-flow?"]
    assert Path(root, "results/digits-fow").exists() is False
