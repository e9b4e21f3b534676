"""The one exception that bad input raises, and how its message is printed."""


class InputError(Exception):
    """Bad input from outside: a config key, a file, a flag.

    The message is one line that names the file or key and says how to mend it; programs show the
    line alone, without a traceback.
    """


def printable(text: str) -> str:
    """One line for a terminal: whatever a file's name or a file holds, it forges no line and moves no cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
