"""How a result was made: versions, machine, times, checksums."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from adaptive_neon.data.downloads import sha256_of
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.times import stage_times

PACKAGES = ("adaptive-neon", "torch", "numpy", "scipy", "scikit-learn", "snakemake")


def write_provenance(path: str | Path, config: Mapping, **more: object) -> dict:
    """Write as JSON how the results in the folder of the path were made, and give it back."""
    provenance = {
        "machine": machine(),
        "versions": versions(),
        "times": {stage: vars(time) for stage, time in stage_times(Path(path).parent).items()},
        **more,
        "config": config,
    }
    write_json(path, provenance)
    return provenance


def versions() -> dict[str, str]:
    """Of Python and of the packages that a result depends on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """The processor, its cores and the graphics cards of this machine."""
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"processor": _processor(), "cores": os.cpu_count() or 1, "gpu": ", ".join(cards) or "none"}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def checksums(paths: Iterable[str | Path]) -> dict[str, str]:
    """SHA-256 of files, by path."""
    return {str(path): sha256_of(path) for path in paths}
