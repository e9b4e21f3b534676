"""The one exception that bad input raises."""


class InputError(Exception):
    """Bad input from outside: a config key, a file, a flag.

    The message is one line that names the file or key and says how to mend it; programs show the
    line alone, without a traceback.
    """
