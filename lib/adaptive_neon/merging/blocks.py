"""Which functional block of the network a parameter belongs to.

A study names its blocks and gives each a regular expression; every parameter must match exactly one.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping

from adaptive_neon.errors import InputError


def lowest_resolution(names: Collection[str]) -> str:
    """The level at the bottom of a U-Net whose parameters name their resolution, such as `8x8`.

    Raises:
        InputError: no name mentions a resolution.
    """
    sides = [int(side) for name in names for side in re.findall(r"\b(\d+)x\1_", name)]
    if not sides:
        raise InputError("blocks: no parameter names its resolution; write patterns without {lowest}")
    return f"{min(sides)}x{min(sides)}"


def assign_blocks(names: Collection[str], patterns: Mapping[str, str]) -> dict[str, str]:
    """Map each parameter name to its block, in the order of the blocks.

    Args:
        names: of the weights.
        patterns: block → regular expression, searched anywhere in the name. `{lowest}` in it stands for
            the lowest resolution of the network, as in `8x8`.

    Raises:
        InputError: a name that matches no block or several, or a block without parameters.
    """
    compiled = {}
    for block, pattern in patterns.items():
        try:
            lowest = lowest_resolution(names) if "{lowest}" in pattern else ""
            compiled[block] = re.compile(pattern.replace("{lowest}", lowest))
        except re.error as error:
            raise InputError(
                f"blocks.{block}: {pattern!r} is no regular expression ({error}); correct the pattern"
            ) from None
    block_of = {}
    for name in names:
        matching = [block for block, pattern in compiled.items() if pattern.search(name)]
        if len(matching) != 1:
            found = f"matches the blocks {', '.join(matching)}" if matching else "matches no block"
            raise InputError(f"blocks: parameter {name} {found}; make the patterns split all names between them")
        block_of[name] = matching[0]
    counts = Counter(block_of.values())
    for block, pattern in patterns.items():
        if not counts[block]:
            raise InputError(
                f"blocks.{block}: {pattern!r} matches no parameter of this network; correct the pattern"
            )
    return {name: block for block in patterns for name in block_of if block_of[name] == block}
