"""The commands of `adaptive-neon`, one per module, and the arguments that several share.

Nothing is computed here: a command checks its arguments, calls the library and prints. A module's docstring is its
help; `add_arguments` declares what `run` takes. `run` imports what it needs when it is called, so that `--help`
answers at once.
"""
