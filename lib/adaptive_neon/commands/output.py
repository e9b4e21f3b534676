"""What a command prints."""

from adaptive_neon.errors import printable


def say(line: str) -> None:
    """Print one line; names and texts in it that come from elsewhere stay in it (see `printable`)."""
    print(printable(line))
