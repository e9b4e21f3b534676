"""The built wheel alone gives a working command line, in a folder without the clone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.loading import arrays

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which the wheel was installed, without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # building leaves files behind, which would be in the next wheel
    shutil.copytree(ROOT / "lib", source / "lib", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder / "dist", source], check=True)
    (wheel,) = (folder / "dist").iterdir()
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


def test_the_commands_work_without_the_clone(installed, make_network, tiny, tmp_path):
    for seed, name in enumerate(("base", "tuned")):
        write_checkpoint(tmp_path / f"{name}.safetensors", arrays(make_network(seed)), tiny)

    def run(*arguments):
        command = [installed / "bin/adaptive-neon", *arguments]
        environment = os.environ | {"PYTHONPATH": str(installed)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    merge = run(
        "merge",
        "--base",
        "base.safetensors",
        "--tuned",
        "tuned.safetensors",
        "--weights",
        "1",
        "-o",
        "C.safetensors",
    )
    assert merge.returncode == 0, merge.stderr
    assert "parameters" in run("inspect", "C.safetensors").stdout
    sample = run("sample", "C.safetensors", "--seeds", "0-3", "--sampler", "steps=2", "-o", "images.npz")
    assert sample.returncode == 0, sample.stderr
    assert np.load(tmp_path / "images.npz")["images"].shape == (4, 8, 8, 1)
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(4), sigma=np.eye(4))
    fid = run("fid", "images.npz", "statistics.npz")  # as far as without the weights of Inception
    line = "adaptive-neon: statistics.npz: statistics of 4 features, not of Inception's 2048\n"
    assert (fid.returncode, fid.stderr) == (1, line)
    where = "import adaptive_neon; print(adaptive_neon.__file__)"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert found.stdout.startswith(str(installed))
