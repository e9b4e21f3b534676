"""The race: all points start, and after each round those that are significantly worse than the best drop out."""

from collections.abc import Mapping

from adaptive_neon.evaluation.measurement import jackknife_replicates
from adaptive_neon.merging.grid import is_single, parse_point
from adaptive_neon.search.selection import best_point
from adaptive_neon.statistics.jackknife import LEVEL, paired_difference


def survivors(metrics: Mapping[str, Mapping]) -> list[str]:
    """The points that stay, in their order.

    A point drops out when the interval of FID(point) − FID(best), paired over blocks of seeds and free of the bias
    a/n, is above 0. All comparisons with the best hold together at the usual level (Bonferroni). The single
    weights run a race of their own as well, so that the best of them is found too.

    Args:
        metrics: name → metrics from the same seeds; diverged points drop out.
    """
    single = {name: one for name, one in metrics.items() if is_single(parse_point(name))}
    staying = {*_not_worse(metrics), *(_not_worse(single) if single else ())}
    return [name for name in metrics if name in staying]


def _not_worse(metrics: Mapping[str, Mapping]) -> list[str]:
    finite = {name: jackknife_replicates(one, "fid") for name, one in metrics.items() if one["fid"] is not None}
    best = finite[best_point({name: fid.full for name, fid in finite.items()})]
    level = 1 - (1 - LEVEL) / max(len(finite) - 1, 1)
    return [name for name, fid in finite.items() if paired_difference(fid, best, level).low <= 0]
