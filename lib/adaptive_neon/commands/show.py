"""Print the result of a finished study of the workflow, and how long its stages took."""

import argparse
from importlib import import_module
from pathlib import Path

from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError

SUMMARIES = {  # kind of a study → the module that tells of it, which is imported for no other
    "toy": "adaptive_neon.toy.summary",
    "collapse": "adaptive_neon.collapse.summary",
    "loop": "adaptive_neon.loops.summary",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="the study's folder, such as results/digits")


def run(results: Path) -> None:
    from adaptive_neon.jobs.files import read_json
    from adaptive_neon.jobs.foreign import reading
    from adaptive_neon.jobs.times import stage_times, time_lines
    from adaptive_neon.studies import wording

    path = results / "summary.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the study first")
    with reading(path, "the summary of a study by this version of the program", "run the study again"):
        summary = read_json(path)
        module = SUMMARIES.get(summary.get("study"))
        told = (import_module(module) if module else wording).terminal_lines(summary)
        if (beside := results / "rivals.json").exists() and "snapshots" in summary:
            from adaptive_neon.rivals.results import sentences

            told += sentences(read_json(beside), wording.snapshot_shown(summary)["kimg"])
    times = time_lines(stage_times(results))
    for line in ("job times, summed over jobs that ran side by side:", *times, *told):
        say(line)
    if (report := results / "report.html").exists():
        say(f"report: {report}")
    if (model := results / "model").exists():
        found = any((model / name).exists() for name in ("model.safetensors", "model_index.json"))
        say(f"improved model: {model}" if found else f"no improved model: see {model}/README.md")
