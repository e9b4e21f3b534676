"""The winners of a search."""

from collections.abc import Mapping

from adaptive_neon.errors import InputError
from adaptive_neon.grid import is_single, parse_point


def best_point(fids: Mapping[str, float | None]) -> str:
    """The name of the point with the lowest FID; diverged points (None) are passed over.

    Of equal FIDs the first in the order of `fids` wins, so that the choice is reproducible.
    """
    finite = {name: fid for name, fid in fids.items() if fid is not None}
    if not finite:
        raise InputError("grid: every point diverged; use smaller weights or less self-training")
    return min(finite, key=finite.__getitem__)


def best_single_point(fids: Mapping[str, float | None]) -> str:
    """The best of the points with one w for all blocks."""
    return best_point({name: fid for name, fid in fids.items() if is_single(parse_point(name))})
