"""The result of a whole study: summary.json, with intervals over the replicas of the self-training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from adaptive_neon.merging.grid import Point, point_name
from adaptive_neon.search.settings import settings_text
from adaptive_neon.statistics.jackknife import Interval, mean_interval, mean_within, verdict, wider

ROLES = ("base", "collapsed", "global", "blockwise")


def summarise(
    experiment: str, features: str, images: Mapping[str, int], seed_blocks: int, replicas: Sequence[Sequence[dict]]
) -> dict:
    """summary.json of a study, from the entries of each replica's snapshots (see `comparison.compare`)."""
    snapshots = [
        [{key: entry[key] for key in entry if key != "base"} for entry in replica] for replica in replicas
    ]
    summary = {
        "experiment": experiment,
        "features": features,
        "images": dict(images),
        "seed_blocks": seed_blocks,
        "base": replicas[0][0]["base"],
        "snapshots": snapshots[0],
    }
    if len(replicas) > 1:
        summary["replicas"] = [
            {"base": replica[0]["base"], "snapshots": entries}
            for replica, entries in zip(replicas, snapshots, strict=True)
        ]
        summary["over_replicas"] = [
            over_replicas([replica[i] for replica in replicas], seed_blocks) for i in range(len(snapshots[0]))
        ]
    return summary


def all_replicas_at(summary: Mapping, kimg: int) -> Mapping | None:
    """What all replicas say together of a snapshot in summary.json or rivals.json; None of a single replica."""
    return next((over for over in summary.get("over_replicas", []) if over["kimg"] == kimg), None)


def over_replicas(entries: Sequence[Mapping], seed_blocks: int) -> dict:
    """What R ≥ 2 replicas say together of one snapshot: FIDs, weights and differences with two-level intervals."""
    result: dict = {"kimg": entries[0]["kimg"], "replicas": len(entries)}
    for role in ROLES:
        result[role] = {"fid": fids_over_replicas([entry[role] for entry in entries], seed_blocks)}
    for role in ("global", "blockwise"):
        result[role]["w"] = _weights([entry[role]["w"] for entry in entries])
        if "sampler" in entries[0][role]:
            winners = Counter(settings_text(entry[role]["sampler"]) for entry in entries)
            result[role]["sampler"] = dict(winners.most_common())
    for name in ("improvement", "blockwise_improvement", "gain"):
        result[name] = differences_over_replicas([entry[name] for entry in entries], seed_blocks)
    return result


def fids_over_replicas(models: Sequence[Mapping], seed_blocks: int) -> dict | None:
    """The mean FID of R ≥ 2 models as in an entry, with two-level intervals (see `two_levels`)."""
    return two_levels([_fid(model) for model in models], seed_blocks)


def differences_over_replicas(differences: Sequence[Mapping], seed_blocks: int) -> dict:
    """The mean of R ≥ 2 differences as in an entry, with two-level intervals and the verdict of the wider one."""
    levels = two_levels([_difference(difference) for difference in differences], seed_blocks)
    return {
        **(levels or {"fid_corrected": None, "interval": None}),
        "verdict": verdict(Interval(0.0, *levels["interval"])) if levels else "not distinguishable",
        "positive": sum(d["fid"] is not None and d["fid_corrected"] > 0 for d in differences),
        "verdicts": dict(Counter(d["verdict"] for d in differences)),
    }


def two_levels(estimates: Iterable[Interval | None], seed_blocks: int) -> dict | None:
    """The mean of the replicas' estimates, and how sure it is at both levels; None of fewer than two.

    `within`: if these self-trainings were the only ones, by their blocks of seeds. `over`: as a sample of all
    self-trainings. `interval` is the wider of the two, which `rests_on` names. Diverged replicas are left out.
    """
    estimates = [estimate for estimate in estimates if estimate is not None]
    if len(estimates) < 2:
        return None
    within = mean_within(estimates, seed_blocks)
    over = mean_interval([estimate.estimate for estimate in estimates])
    widest = wider(over, within)
    return {
        "fid_corrected": over.estimate,
        "within": [within.low, within.high],
        "over": [over.low, over.high],
        "interval": [widest.low, widest.high],
        "rests_on": "replicas" if widest is over else "seeds",
        "replicas": len(estimates),
    }


def _weights(points: Sequence[Point]) -> dict:
    """Mean and interval of each block's winning weight, and how often each point won.

    Where layers have weights, a point with a single weight has one block for all of them.
    """
    finest = max(points, key=len)
    same = [dict.fromkeys(finest, *point.values()) if len(point) == 1 else point for point in points]
    intervals = {block: mean_interval([point[block] for point in same]) for block in finest}
    return {
        "mean": {block: interval.estimate for block, interval in intervals.items()},
        "interval": {block: [interval.low, interval.high] for block, interval in intervals.items()},
        "winners": dict(Counter(map(point_name, points)).most_common()),
    }


def _fid(measured: Mapping) -> Interval | None:
    if measured["fid"] is None:
        return None
    return Interval(measured["fid_corrected"], *measured["fid_interval"])


def _difference(difference: Mapping) -> Interval | None:
    if difference["fid"] is None:
        return None
    return Interval(difference["fid_corrected"], *difference["interval"])
