"""Print the result of a finished study of the workflow, and how long its stages took."""

import argparse
from pathlib import Path

from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="the study's folder, such as results/digits")


def run(results: Path) -> None:
    from adaptive_neon.collapse import summary as collapse
    from adaptive_neon.jobs.files import read_json
    from adaptive_neon.jobs.foreign import reading
    from adaptive_neon.jobs.times import stage_times, time_lines
    from adaptive_neon.loops import summary as loops
    from adaptive_neon.rivals import results as rivals
    from adaptive_neon.studies.wording import snapshot_shown, terminal_lines
    from adaptive_neon.toy import summary as toy

    path = results / "summary.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the study first")
    with reading(path, "the summary of a study by this version of the program", "run the study again"):
        summary = read_json(path)
        lines_of = {
            "toy": toy.terminal_lines,
            "collapse": collapse.terminal_lines,
            "loop": loops.terminal_lines,
        }
        told = lines_of.get(summary.get("study"), terminal_lines)(summary)
        if (beside := results / "rivals.json").exists() and "snapshots" in summary:
            told += rivals.sentences(read_json(beside), snapshot_shown(summary)["kimg"])
    times = time_lines(stage_times(results))
    for line in ("job times, summed over jobs that ran side by side:", *times, *told):
        say(line)
    if (report := results / "report.html").exists():
        say(f"report: {report}")
    if (model := results / "model").exists():
        found = any((model / name).exists() for name in ("model.safetensors", "model_index.json"))
        say(f"improved model: {model}" if found else f"no improved model: see {model}/README.md")
