"""The conda environments hold the versions of requirements.txt."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"matplotlib": "matplotlib-base"}
NOT_IN_JOBS = {"snakemake", "hypothesis", "prdc", "pytest", "pytest-xdist", "ruff", "snakefmt", "torch-fidelity"}


def requirements(name: str = "requirements.txt") -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name, torch", [("cpu", "pytorch-cpu"), ("cuda", "pytorch-gpu")])
def test_conda_environments_pin_what_requirements_pins(name, torch):
    *packages, pip = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"]
    found = dict(package.split("=") for package in packages if "=" in package)
    found |= dict(package.split("==") for package in pip["pip"])
    del found["python"]
    names = CONDA_NAMES | {"torch": torch}
    wanted = {names.get(key, key): version for key, version in requirements().items() if key not in NOT_IN_JOBS}
    assert found == wanted


def test_pyproject_asks_for_no_package_that_is_not_pinned():
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]}
    assert asked <= set(requirements())
    for extra, packages in project["optional-dependencies"].items():
        pinned = requirements(f"requirements-{extra}.txt")
        assert {package.partition(">")[0] for package in packages} <= set(pinned)
