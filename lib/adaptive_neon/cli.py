"""The command `adaptive-neon`."""

import argparse
import json
import sys
from pathlib import Path

from adaptive_neon.commands import estimate
from adaptive_neon.errors import InputError
from adaptive_neon.times import stage_times, time_lines
from adaptive_neon.toy import summary as toy
from adaptive_neon.wording import terminal_lines


def show(results: Path) -> None:
    """Print the result of a study, the times of its stages and the path of the report."""
    try:
        summary = json.loads((results / "summary.json").read_text())
    except OSError:
        raise InputError(f"{results}/summary.json: no such file; run the study first") from None
    print("job times, summed over jobs that ran side by side:")
    print(*time_lines(stage_times(results)), sep="\n")
    lines = toy.terminal_lines if summary.get("study") == "toy" else terminal_lines
    print(*lines(summary), sep="\n")
    if (report := results / "report.html").exists():
        print(report)


def main() -> None:
    """Parse the command line and run one command; bad input ends in one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="adaptive-neon", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("show", help="print the result of a finished study")
    command.add_argument("results", type=Path, help="the study's folder, such as results/digits")
    command.set_defaults(run=show)
    command = commands.add_parser("estimate", help="print what a study will ask for", description=estimate.__doc__)
    estimate.add_arguments(command)
    command.set_defaults(run=estimate.run)
    arguments = vars(parser.parse_args())
    try:
        arguments.pop("run")(**arguments)
    except InputError as error:
        sys.exit(f"adaptive-neon: {error}")


if __name__ == "__main__":
    main()
