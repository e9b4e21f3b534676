"""Where the time of a run went, from the benchmark files and logs of its jobs."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adaptive_neon.jobs.foreign import reading

# The stage is the last word of a job's name; what follows a dash-number is the snapshot.
STAGE = re.compile(r"(?:.*-)?(?P<stage>generate|shard|measure)(?:-\d+)?|(?P<name>.*?)(?:-\d+)?")


@dataclass
class StageTime:
    """Jobs of one stage: how many, their summed wall time, and the CPU time of their start-up, in seconds."""

    jobs: int = 0
    seconds: float = 0.0
    start_up: float = 0.0


def stage_times(results: str | Path) -> dict[str, StageTime]:
    """The time of every stage of a finished run, the longest first.

    Args:
        results: the experiment's folder, with `benchmarks/**/NAME.tsv` and `logs/**/NAME.log` of each job.
    """
    results = Path(results)
    stages: dict[str, StageTime] = defaultdict(StageTime)
    for benchmark in sorted((results / "benchmarks").rglob("*.tsv")):
        relative = benchmark.relative_to(results / "benchmarks")
        match = STAGE.fullmatch(relative.stem)
        stage = stages[match["stage"] or match["name"]]
        stage.seconds += job_seconds(results, benchmark)
        stage.start_up += start_up_seconds(results, benchmark)
        stage.jobs += 1
    return dict(sorted(stages.items(), key=lambda item: -item[1].seconds))


def core_hours(results: str | Path) -> float:
    """What all jobs of a run took of the processors, h: CPU time as the benchmark files tell it."""
    seconds = 0.0
    for benchmark in (Path(results) / "benchmarks").rglob("*.tsv"):
        with reading(benchmark, "a benchmark file of Snakemake", "remove it"), open(benchmark, newline="") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
            seconds += float(row["s"] if row["cpu_time"] in ("NA", "-") else row["cpu_time"])  # of a short job
    return seconds / 3600


def job_seconds(results: Path, benchmark: Path) -> float:
    """Wall time of the job of a benchmark file, s; without the time that it waited for a GPU (`gpus.take_gpu`)."""
    with reading(benchmark, "a benchmark file of Snakemake", "remove it"), open(benchmark, newline="") as file:
        seconds = float(next(csv.DictReader(file, delimiter="\t"))["s"])
    waited = re.search(r"^GPU \S+, waited ([\d.]+) s$", _log(results, benchmark), re.MULTILINE)
    return seconds - float(waited[1]) if waited else seconds


def start_up_seconds(results: Path, benchmark: Path) -> float:
    """What of it was start-up of the process, s; 0 where the log says nothing of it."""
    start_up = re.match(r"start-up ([\d.]+) s", _log(results, benchmark))
    return float(start_up[1]) if start_up else 0.0


def _log(results: Path, benchmark: Path) -> str:
    log = (results / "logs" / benchmark.relative_to(results / "benchmarks")).with_suffix(".log")
    return log.read_text(errors="replace") if log.exists() else ""


def time_lines(stages: dict[str, StageTime]) -> Sequence[str]:
    """One line per stage and one for all, with the share that is process start-up."""
    total = StageTime(*(sum(getattr(s, key) for s in stages.values()) for key in ("jobs", "seconds", "start_up")))
    return [
        f"  {name:15} {stage.jobs:4d} jobs {stage.seconds:8.1f} s, start-up {stage.start_up / stage.seconds:4.0%}"
        for name, stage in [*stages.items(), ("all", total)]
        if stage.seconds
    ]
