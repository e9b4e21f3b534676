"""The one exception that bad input raises, and how its message is written and printed."""


class InputError(Exception):
    """Bad input from outside: a config key, a file, a flag.

    The message is one line that names the file or key and says how to mend it; programs show the
    line alone, without a traceback.
    """


def printable(text: str) -> str:
    """One line for a terminal: whatever a file's name or a file holds, it forges no line and moves no cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value in a message: its repr, of which no more than 100 characters."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
