"""The commands of `adaptive-neon`, one a module.

A module's docstring is its help; `add_arguments` declares what `run` takes. `run` imports what it needs when it
is called, so that `--help` answers at once.
"""
