"""What the literature says of loops, beside the exact law and a simulation with its standard error."""

from adaptive_neon.collapse.statements import gaussian, mixed, neon, others
from adaptive_neon.collapse.statements.statement import Statement


def all_statements(seeds: int, seed: int) -> list[Statement]:
    """The rows of the table of laws; points are simulated with fewer seeds, single fits with more."""
    parts = (gaussian, mixed, others, neon)
    return [statement for part in parts for statement in part.statements(seeds, seed)]
