"""One snapshot of a replica as it stands in summary.json: four models on held-out images, and how they differ."""

from collections.abc import Iterable, Mapping

import numpy as np

from adaptive_neon.evaluation.measurement import PRDC, jackknife_replicates
from adaptive_neon.merging.grid import is_single, parse_point
from adaptive_neon.search.selection import search_metrics
from adaptive_neon.search.settings import parse_settings
from adaptive_neon.statistics.jackknife import (
    Interval,
    JackknifeReplicates,
    corrected_interval,
    paired_difference,
    paired_plain_difference,
    plain_interval,
    unpaired_difference,
    verdict,
)

WITHOUT_INTERVAL = ("kid", "kid_deviation", "inception_score", "inception_score_deviation")
DIAGONAL = ("fid", "fid_corrected", "fid_interval", "precision", "recall")  # of each single weight


def compare(
    kimg: int,
    heldout: Mapping[str, dict],
    *,
    roles: Mapping[str, str],
    indistinguishable: Iterable[str],
    search: Mapping[str, dict],
    chosen_by: Mapping[str, dict],
    surface: Mapping | None = None,
    descent: Mapping | None = None,
    **_: object,
) -> dict:
    """A snapshot's entry in summary.json, and the base model's.

    Args:
        heldout: point name → metrics on the held-out images.
        roles: `base`, `collapsed`, `global` (best single weight) and `blockwise` (best point) → point name.
        indistinguishable: names of the points of the search that it cannot tell from the best one.
        search: point name → metrics on the search images.
        chosen_by: names of the best single weight and of the best point → the FID that they were chosen by.
        surface: of the method surface, where its minima are (see `search.rounds.outcome`).
        descent: of the method gradient, where its start is.
    """
    entry: dict = {"kimg": kimg}
    for role, name in roles.items():
        entry[role] = _sampler(name) | with_intervals(heldout[name])
    for role in ("global", "blockwise"):
        name = roles[role]
        entry[role] = {"w": parse_point(name), "search_fid": chosen_by[name]["fid"]} | entry[role]
        entry[role]["winners_curse"] = winners_curse(heldout[name], chosen_by[name])
    if surface:
        entry["global"]["w_interval"] = surface["single_interval"]
        entry["blockwise"]["w_interval"] = surface["w_interval"]
    if descent:
        entry["global"]["w_interval"] = descent["single_interval"]
    entry["indistinguishable"] = [parse_point(name) | parse_settings(name) for name in indistinguishable]
    entry["diagonal"] = []
    for w, name in diagonal(search).items():
        measured = with_intervals(search[name])
        entry["diagonal"].append({"w": w, **_sampler(name)} | {key: measured[key] for key in DIAGONAL})
    entry["improvement"] = fid_difference(heldout[roles["base"]], heldout[roles["global"]])
    entry["blockwise_improvement"] = fid_difference(heldout[roles["base"]], heldout[roles["blockwise"]])
    entry["changes"] = {name: change(heldout[roles["base"]], heldout[roles["global"]], name) for name in PRDC}
    entry["gain"] = fid_difference(heldout[roles["global"]], heldout[roles["blockwise"]])
    return entry


def diagonal(search: Mapping[str, Mapping]) -> dict[float, str]:
    """Single weight, rising → name of the point that has it in all blocks.

    Of several sampler settings it is the point of the lowest FID.

    Args:
        search: point name → metrics; diverged points are left out.
    """
    best: dict[float, str] = {}
    for name, metrics in search.items():
        point = parse_point(name)
        w = next(iter(point.values()))
        if metrics["fid"] is not None and is_single(point):
            best[w] = min(best.get(w, name), name, key=lambda one: search[one]["fid"])
    return dict(sorted(best.items()))


def _sampler(name: str) -> dict:
    """The searched sampler settings of a model, if there are any."""
    settings = parse_settings(name)
    return {"sampler": settings} if settings else {}


def with_intervals(metrics: Mapping) -> dict:
    """Metrics with an interval each, from their values without each block of seeds.

    The corrected FID has the base model as control variate where there is one, on search images.
    """
    if metrics["fid"] is None:
        return {"fid": None, "diverged": True}
    fid = corrected_interval(jackknife_replicates(search_metrics(metrics), "fid"))
    entry = {"fid": metrics["fid"], "fid_corrected": fid.estimate, "fid_interval": _ends(fid)}
    for name in PRDC:
        entry[name] = metrics[name]
        entry[f"{name}_interval"] = _prdc_interval(jackknife_replicates(metrics, name))
    entry["recall_by_class"] = metrics["recall_by_class"]
    entry["recall_by_class_interval"] = [
        _prdc_interval(JackknifeReplicates(full, np.array(without)))
        for full, *without in zip(
            metrics["recall_by_class"], *metrics["without_block"]["recall_by_class"], strict=True
        )
    ]
    return entry | {name: metrics[name] for name in WITHOUT_INTERVAL if name in metrics}


def winners_curse(heldout: Mapping, search: Mapping) -> dict:
    """FID on held-out images − FID on the images by which the same weights won.

    There is no verdict with fewer images than features: the correction for bias then leaves a bias of its own,
    which differs with the number of images.
    """
    difference = fid_difference(heldout, search, paired=False)
    if min(m.get("images", 1) - m.get("dimension", 0) for m in (heldout, search)) <= 0:
        difference["verdict"] = None
    return difference


def change(before: Mapping, after: Mapping, name: str) -> dict:
    """What became of a metric such as precision from one model to another, both sampled from the same seeds."""
    if before["fid"] is None or after["fid"] is None:
        return {"change": None, "interval": None, "verdict": "not distinguishable"}
    interval = paired_plain_difference(jackknife_replicates(after, name), jackknife_replicates(before, name))
    moved = {"better": "rises", "worse": "falls"}.get(verdict(interval), "not distinguishable")
    return {"change": interval.estimate, "interval": _ends(interval), "verdict": moved}


def fid_difference(a: Mapping, b: Mapping, paired: bool = True) -> dict:
    """FID(a) − FID(b): positive where b is the better model.

    Args:
        a: metrics of a set of images.
        b: metrics of another.
        paired: whether both were sampled from the same seeds.
    """
    if a["fid"] is None or b["fid"] is None:
        return {"fid": None, "interval": None, "verdict": "not distinguishable"}
    difference = paired_difference if paired else unpaired_difference
    interval = difference(jackknife_replicates(a, "fid"), jackknife_replicates(b, "fid"))
    return {
        "fid": a["fid"] - b["fid"],
        "fid_corrected": interval.estimate,
        "interval": _ends(interval),
        "verdict": verdict(interval),
    }


def _prdc_interval(share: JackknifeReplicates) -> list[float]:
    """No share is below 0, and only density can be above 1."""
    interval = plain_interval(share)
    return [max(interval.low, 0.0), interval.high if share.full > 1 else min(interval.high, 1.0)]


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
