"""What a command prints."""

from collections.abc import Iterator, Sequence

from adaptive_neon.errors import printable


def say(line: str) -> None:
    """Print one line; names and texts in it that come from elsewhere stay in it (see `printable`)."""
    print(printable(line))


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, its cells to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
