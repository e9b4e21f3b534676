"""Which functional block of the network a parameter belongs to.

A study names its blocks and gives each a regular expression; every parameter must match exactly one.
For EDM's U-Nets the published rule (Adaptive Neon's code) reads: a name that mentions the lowest
resolution or the embedding (`map_…`) is mid, whichever half of the U-Net it stands in; else `enc` is
enc and `dec` is dec; what is left is mid.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from adaptive_neon.errors import InputError


def lowest_resolution(architecture: Mapping) -> int:
    """The side in pixels at the bottom of an EDM U-Net: each level after the first halves the image."""
    return architecture["img_resolution"] >> (len(architecture["channel_mult"]) - 1)


def assign_blocks(names: Iterable[str], patterns: Mapping[str, str], lowest: int | None = None) -> dict[str, str]:
    """Map each parameter name to its block, in the order of the blocks.

    Args:
        names: parameter (and buffer) names.
        patterns: block → regular expression, searched anywhere in the name. `{lowest}` in it stands for
            the lowest resolution of the network, as in `8x8`.
        lowest: that resolution in pixels.

    Raises:
        InputError: a name that matches no block or several, or a block without parameters.
    """
    compiled = {}
    for block, pattern in patterns.items():
        try:
            compiled[block] = re.compile(pattern.replace("{lowest}", f"{lowest}x{lowest}"))
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
