"""Runs the workflow in a folder of its own and tells which jobs it would run, or ran."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (?P<rule>\w+):\n(?P<body>(?: +.*\n)*)", re.MULTILINE)
# One block, one snapshot, two cells: few jobs. Every step of a stage saves its rolling state.
SMALL = {
    "blocks": [{"name": "all", "pattern": "."}],
    "grid": {"weights": [0.5], "diagonal": []},
    "finetune": {"snapshots_kimg": [2]},
    "run": {"checkpoint_minutes": 0},
}
WILDCARD = re.compile(r"(\w+)=([^,\n]+)")


def command(folder: Path, config: dict | None = None, *flags: str, target: str = "all") -> list[str]:
    """The snakemake call for the tiny study in `folder`, with `config` laid over it."""
    # A name of its own: workers share the finished studies, and plan changes of them at the same time.
    overlay = folder / f"overlay-{uuid.uuid4().hex}.yaml"
    overlay.write_text(yaml.safe_dump(config or {}))
    return [
        sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder,
        "--configfile", ROOT / "config.yaml", ROOT / "tests/tiny.yaml", overlay, *flags, "--", target,
    ]  # fmt: skip


def run(folder: Path, config: dict | None = None, *flags: str, target: str = "all") -> subprocess.CompletedProcess:
    """Run it to its end; standard output and standard error come back together, as a terminal shows them."""
    return subprocess.run(
        command(folder, config, *flags, target=target),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def jobs(output: str) -> set[tuple[str, ...]]:
    """The jobs in Snakemake's output: the rule, then the values of its wildcards in their order."""
    found = set()
    for match in JOB.finditer(output):
        wildcards = re.search(r"^ +wildcards: (.*)$", match["body"], re.MULTILINE)
        values = [value for _, value in WILDCARD.findall(wildcards[1])] if wildcards else []
        found.add((match["rule"], *values))
    return found - {("all",), ("toy",), ("collapse",), ("measured",)}


def planned(folder: Path, config: dict | None = None, target: str = "all") -> set[tuple[str, ...]]:
    """The jobs that a run with this configuration would start, by a dry run."""
    process = run(folder, config, "--dry-run", target=target)
    assert process.returncode == 0, process.stdout
    return jobs(process.stdout)
