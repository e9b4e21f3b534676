"""Print the result of a finished study of the workflow, and how long its stages took."""

import argparse
import json
from pathlib import Path

from adaptive_neon.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="the study's folder, such as results/digits")


def run(results: Path) -> None:
    from adaptive_neon.jobs.times import stage_times, time_lines
    from adaptive_neon.studies.wording import terminal_lines
    from adaptive_neon.toy import summary as toy

    try:
        summary = json.loads((results / "summary.json").read_text())
    except OSError:
        raise InputError(f"{results}/summary.json: no such file; run the study first") from None
    print("job times, summed over jobs that ran side by side:")
    print(*time_lines(stage_times(results)), sep="\n")
    lines = toy.terminal_lines if summary.get("study") == "toy" else terminal_lines
    try:
        print(*lines(summary), sep="\n")
    except (KeyError, TypeError):
        raise InputError(
            f"{results}/summary.json: of another version of this program; run the study again"
        ) from None
    if (report := results / "report.html").exists():
        print(f"report: {report}")
    if (model := results / "model").exists():
        found = (model / "model.safetensors").exists()
        print(f"improved model: {model}" if found else f"no improved model: see {model}/README.md")
