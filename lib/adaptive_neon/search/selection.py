"""The winners of a search, and what is indistinguishable from them."""

from collections.abc import Mapping, Sequence

from adaptive_neon.errors import InputError
from adaptive_neon.evaluation.measurement import jackknife_replicates
from adaptive_neon.merging.grid import is_single, parse_point
from adaptive_neon.statistics.jackknife import paired_difference


def search_metrics(metrics: Mapping) -> Mapping:
    """The FID by which a search chooses: where it has a control variate, the one with it, free of bias.

    Bias would choose as well: it is a few times what a search tells apart, is smaller for models whose images vary
    less, and with a control variate for those nearer to the base model.
    """
    if "controlled" not in metrics:
        return metrics
    fid = jackknife_replicates(metrics["controlled"], "fid").corrected()
    about = {key: metrics[key] for key in ("images", "dimension")}
    return about | {"fid": fid.full, "without_block": {"fid": fid.without.tolist()}}


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


def base_role(fids: Mapping[str, float | None], base: Sequence[str]) -> str:
    """The name of the base model, at its best sampler settings if they are searched: a fair comparison.

    Args:
        fids: name → FID.
        base: names of the base model, one for each combination of sampler settings.
    """
    return best_point({name: fids[name] for name in base}) if len(base) > 1 else base[0]


def indistinguishable(metrics: Mapping[str, Mapping], best: str) -> list[str]:
    """The points whose paired interval of FID(point) − FID(best) contains 0, the best among them.

    The best was chosen by the same images, so the set is, if anything, too small.
    """
    names = []
    for name, point in metrics.items():
        if point["fid"] is not None:
            interval = paired_difference(
                jackknife_replicates(point, "fid"), jackknife_replicates(metrics[best], "fid")
            )
            if interval.low <= 0 <= interval.high:
                names.append(name)
    return names
