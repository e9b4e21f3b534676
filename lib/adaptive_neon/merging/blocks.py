"""Which functional block of the network a parameter belongs to.

A study names its blocks and gives each a regular expression; every parameter must match exactly one.
"""

import math
import re
import time
import warnings
from collections import Counter
from collections.abc import Collection, Mapping

import regex

from adaptive_neon.errors import InputError, shown

PATIENCE = 2.0  # s, for all patterns on all names: some patterns would try for ever
LAYERS = "layers"  # in place of patterns: every layer is a block
MOST_REPEATS = 1000  # in a pattern, all counts multiplied: the engine writes them out, whatever memory that takes
REPEATS = re.compile(r"\{(\d*),?(\d*)\}")


def lowest_resolution(names: Collection[str]) -> str:
    """The level at the bottom of a U-Net whose parameters name their resolution, such as `8x8`.

    Raises:
        InputError: no name mentions a resolution.
    """
    sides = [int(side) for name in names for side in regex.findall(r"\b(\d+)x\1_", name)]
    if not sides:
        raise InputError("blocks: no parameter names its resolution; write patterns without {lowest}")
    return f"{min(sides)}x{min(sides)}"


def assign_blocks(names: Collection[str], patterns: Mapping[str, str] | str) -> dict[str, str]:
    """Map each parameter name to its block, in the order of the blocks.

    Args:
        names: of the weights.
        patterns: block → regular expression, searched anywhere in the name. `{lowest}` in it stands for
            the lowest resolution of the network, as in `8x8`. Or `LAYERS`, of which `assign_layers` knows.

    Raises:
        InputError: a name that matches no block or several, or a block without parameters.
    """
    if patterns == LAYERS:
        return assign_layers(names)
    compiled = {block: _compiled(block, pattern, names) for block, pattern in patterns.items()}
    block_of = {}
    deadline = time.monotonic() + PATIENCE
    for name in names:
        matching = [block for block in compiled if _found(compiled[block], name, block, deadline)]
        if len(matching) != 1:
            found = f"matches the blocks {', '.join(matching)}" if matching else "matches no block"
            raise InputError(f"blocks: parameter {name} {found}; make the patterns split all names between them")
        block_of[name] = matching[0]
    counts = Counter(block_of.values())
    for block, pattern in patterns.items():
        if not counts[block]:
            raise InputError(
                f"blocks.{block}: {shown(pattern)} matches no parameter of this network; correct the pattern"
            )
    return {name: block for block in patterns for name in block_of if block_of[name] == block}


def assign_layers(names: Collection[str]) -> dict[str, str]:
    """Map each parameter name to its layer, the module that holds it, so that weight and bias are together.

    A layer's name has a hyphen for each underscore, which a point's name has between blocks.
    """
    return {name: (name.rpartition(".")[0] or name).replace("_", "-") for name in names}


def assign_weights(names: Collection[str], patterns: Mapping[str, str], blocks: Collection[str]) -> dict[str, str]:
    """`assign_blocks` for a point with these blocks: those of the patterns, or else the layers."""
    return assign_blocks(names, patterns) if set(blocks) == set(patterns) else assign_layers(names)


def _compiled(block: str, pattern: str, names: Collection[str]) -> regex.Pattern:
    lowest = lowest_resolution(names) if "{lowest}" in pattern else ""
    text = pattern.replace("{lowest}", lowest)
    try:
        if math.prod(max(1, *(int(n or 1) for n in counts)) for counts in REPEATS.findall(text)) > MOST_REPEATS:
            raise ValueError(f"it repeats more than {MOST_REPEATS:,} times")
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)  # the syntax that everybody knows, without recursion
            return regex.compile(text)
    except (re.error, regex.error, RecursionError, OverflowError, ValueError) as error:
        raise InputError(
            f"blocks.{block}: {shown(pattern)} is no regular expression ({error}); correct the pattern"
        ) from None


def _found(pattern: regex.Pattern, name: str, block: str, deadline: float) -> bool:
    try:
        return pattern.search(name, timeout=max(deadline - time.monotonic(), 1e-3)) is not None
    except TimeoutError:
        raise InputError(
            f"blocks.{block}: {shown(pattern.pattern)} takes too long on {name}; write it without nested repeats"
        ) from None
