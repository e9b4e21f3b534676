"""Merge checkpoints, look into them, sample and measure them: what the workflow does, one step at a time."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from typing import NoReturn

from adaptive_neon.commands import check, estimate, export, fid, inspect, lora, merge, new, reference, sample, show
from adaptive_neon.errors import InputError, printable
from adaptive_neon.jobs.foreign import reason

COMMANDS = (
    new,
    merge,
    lora,
    inspect,
    sample,
    reference,
    fid,
    export,
    show,
    check,
    estimate,
)  # each a module: its docstring is the help


class Parser(argparse.ArgumentParser):
    """A parser whose errors are those of any other input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {self.prog} --help explains it")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = Parser(
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
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = vars(parser().parse_args(list(_join_weights(arguments))))
        options.pop("run")(**options)
        sys.stdout.flush()
    except InputError as error:
        _end(str(error))
    except BrokenPipeError:  # who reads, such as head, has seen enough; at exit Python would write what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _end(f"{error.filename}: {error.strerror}" if error.filename else reason(error))
    except Exception as error:  # a defect, or something of a file that no check has foreseen
        _end(f"{shlex.join(arguments)[:500]}: {type(error).__name__} ({reason(error)}); please report this line")


def _join_weights(arguments: list[str]) -> Iterator[str]:
    """`--weights -inf` as one word: argparse would take what follows for an option."""
    words = iter(arguments)
    for word in words:
        value = next(words, None) if word == "--weights" else None
        yield word if value is None else f"{word}={value}"


def _end(message: str) -> NoReturn:
    sys.exit(f"adaptive-neon: {printable(message)}")


if __name__ == "__main__":
    main()
