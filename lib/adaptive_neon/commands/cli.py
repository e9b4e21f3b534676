"""Merge checkpoints, look into them, sample and measure them: what the workflow does, one step at a time."""

import argparse
import os
import sys

from adaptive_neon.commands import check, estimate, export, fid, inspect, merge, reference, sample, show
from adaptive_neon.errors import InputError, printable

COMMANDS = (
    merge,
    inspect,
    sample,
    reference,
    fid,
    export,
    show,
    check,
    estimate,
)  # each a module: its docstring is the help


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(
        prog="adaptive-neon", description=__doc__, epilog="adaptive-neon COMMAND --help explains a command."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = commands.add_parser(
            module.__name__.rpartition(".")[2],
            help=module.__doc__.partition("\n")[0],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return whole


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one command; bad input ends in one line and exit code 1."""
    options = vars(parser().parse_args(arguments))
    try:
        options.pop("run")(**options)
        sys.stdout.flush()
    except InputError as error:
        sys.exit(f"adaptive-neon: {printable(str(error))}")
    except BrokenPipeError:  # who reads, such as head, has seen enough; at exit Python would write what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"adaptive-neon: {printable(f'{error.filename}: {error.strerror}')}")


if __name__ == "__main__":
    main()
