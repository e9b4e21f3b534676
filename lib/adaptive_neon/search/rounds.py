"""What a search draws, round by round, and what it has found in the end: grid, surface, race, gradient.

A round draws its points on seeds of its own, so that what is drawn stays when another round follows. Metrics are
those of `evaluation.measurement`, by the name of the point with its sampler settings.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from adaptive_neon.evaluation.measurement import jackknife_replicates
from adaptive_neon.merging.grid import parse_point, point_name
from adaptive_neon.search import race, surface
from adaptive_neon.search.selection import (
    base_role,
    best_point,
    best_single_point,
    indistinguishable,
    search_metrics,
)
from adaptive_neon.search.settings import split
from adaptive_neon.search.surface import Region, Surface, as_places, as_points, joined
from adaptive_neon.statistics.jackknife import JackknifeReplicates, paired_difference, plain_interval

if TYPE_CHECKING:  # it imports torch
    from adaptive_neon.search.gradient import Check

Metrics = Mapping[str, Mapping]  # name of a point → its metrics


def joined_cells(cells: Iterable[Metrics]) -> dict:
    """The metrics of a round, from those of its cells."""
    return {name: one for cell in cells for name, one in cell.items()}


def next_points(
    method: str, limits: tuple[float, float], points: Sequence[str], rounds: Sequence[Metrics]
) -> list[str]:
    """The names of the points of the next round, after at least one.

    surface: a design around the minimum that is fitted so far, half as wide as the last, for each combination of
    sampler settings. race: the points that are not significantly worse than the best.

    Args:
        limits: lowest and highest weight of every block.
        points: names of the first round's points that can win.
        rounds: the metrics of each round.
    """
    rounds = _of_points(points, rounds)
    if method == "race":
        return race.survivors(_pooled_by_all(rounds))
    share = surface.NARROWER ** len(rounds)
    blocks = list(parse_point(points[0]))
    region = Region.of(len(blocks), *limits)
    names = []
    for settings, fitted in _surfaces(region, rounds).items():
        places = surface.design(region.around(fitted.full.minimum(region), share))
        names += [point_name(point) + settings for point in as_points(blocks, places)]
    return names


def outcome(
    method: str,
    limits: tuple[float, float],
    points: Sequence[str],
    base: Sequence[str],
    collapsed: str,
    rounds: Sequence[Metrics],
    descent: Mapping | None = None,
) -> dict:
    """The outcome of a search, as it stands in the file of the selection.

    Args:
        limits, points, rounds, descent: as for `winners`.
        base: names of the base model, one for each combination of sampler settings that is searched.
        collapsed: name of the collapsed model, without settings: it has those of the base model.

    Returns:
        `roles`, name of each of the four models of a snapshot; `search`, the metrics of the first round;
        `later_points`, how many points each further round had; and what else `winners` tells.
    """
    found = winners(method, limits, points, rounds, descent)
    first = base_role({name: search_metrics(one)["fid"] for name, one in rounds[0].items()}, base)
    roles = {"base": first, "collapsed": collapsed + split(first)[1]}
    roles |= {role: found.pop(role) for role in ("global", "blockwise")}
    return {"roles": roles, **found, "search": rounds[0], "later_points": [len(later) for later in rounds[1:]]}


def winners(
    method: str,
    limits: tuple[float, float],
    points: Sequence[str],
    rounds: Sequence[Metrics],
    descent: Mapping | None = None,
) -> dict:
    """What a search has found.

    Args:
        limits: lowest and highest weight of every block.
        points: names of the first round's points that can win.
        rounds: the metrics of each round.
        descent: of the method gradient (see `described`).

    Returns:
        `global` (best single weight) and `blockwise`, names; `chosen_by`, name → the metrics by which these two
        were chosen; `indistinguishable`, the first round's points that the search cannot tell from the best; for
        the method surface `surface`, where its minima are; for the method gradient `descent`, the way it went.
    """
    rounds = _of_points(points, rounds)
    if method == "gradient":
        return _descended_winners(limits, points, rounds, descent)
    if method == "surface":
        return _fitted_winners(Region.of(len(parse_point(points[0])), *limits), points, rounds)
    metrics = _pooled_by_all(rounds)
    fids = {name: of["fid"] for name, of in metrics.items()}
    best, single = best_point(fids), best_single_point(fids)
    return {
        "global": single,
        "blockwise": best,
        "chosen_by": {name: metrics[name] for name in (best, single)},
        "indistinguishable": indistinguishable(metrics, best),
    }


def _of_points(points: Sequence[str], rounds: Sequence[Metrics]) -> list[Metrics]:
    """What a search chooses by; without what the first round draws for the figures."""
    first, *later = rounds
    return [
        {name: search_metrics(one) for name, one in metrics.items()}
        for metrics in ({name: first[name] for name in points}, *later)
    ]


def _fitted_winners(region: Region, points: Sequence[str], rounds: Sequence[Metrics]) -> dict:
    blocks = list(parse_point(points[0]))
    found: dict[str, list[tuple[JackknifeReplicates, str, str]]] = {"global": [], "blockwise": []}
    surfaces = _surfaces(region, rounds)
    for settings, fitted in surfaces.items():
        for role, candidates in found.items():
            place, value = fitted.best(single=role == "global")
            candidates.append((value, point_name(as_points(blocks, place[None])[0]) + settings, settings))
    best = {role: min(candidates, key=lambda one: one[0].full) for role, candidates in found.items()}
    about = _about(rounds)
    chosen = {name: _metrics(value, about) for value, name, _ in best.values()}
    others = {
        name: _metrics(surfaces[split(name)[1]].value(as_places([parse_point(name)])[0]), about)
        for name in points
        if split(name)[1] in surfaces
    }
    _, winner, settings = best["blockwise"]
    similar = indistinguishable(others | {winner: chosen[winner]}, winner)
    return {
        "global": best["global"][1],
        "blockwise": winner,
        "chosen_by": chosen,
        "indistinguishable": [name for name in similar if name in points],
        "surface": _described(blocks, surfaces[best["global"][2]], surfaces[settings], settings),
    }


def best_on_line(limits: tuple[float, float], points: Sequence[str], rounds: Sequence[Metrics]) -> Surface:
    """The fit to single weights, over the one weight; with it the method gradient begins.

    Args:
        limits, points, rounds: as for `winners`; all points have single weights.
    """
    (metrics,) = _of_points(points, rounds)
    finite = {name: one for name, one in metrics.items() if one["fid"] is not None}
    places = as_places(list(map(parse_point, finite)))[:, :1]
    fids = [jackknife_replicates(one, "fid") for one in finite.values()]
    return surface.fit(Region.of(1, *limits), [(places, fids)])


def described(
    blocks: Sequence[str], checks: Sequence["Check"], of_check: int, of_step: int, dimension: int
) -> dict:
    """A descent as it stands in its file.

    Args:
        blocks: names of the weights.
        checks: of `gradient.descend`.
        of_check, of_step: images.
        dimension: of the features.
    """
    about = {"images": of_check, "dimension": dimension}
    found = [(one, dict(zip(blocks, one.weights, strict=True))) for one in checks]
    return {
        "checks": [{"step": one.step, "w": w} | _metrics(one.fid, about) for one, w in found],
        "checked": len(checks) * of_check,
        "differentiated": checks[-1].step * of_step,
    }


def _descended_winners(
    limits: tuple[float, float], points: Sequence[str], rounds: Sequence[Metrics], descent: Mapping
) -> dict:
    """The start of a descent, which is the best single weight, and the last place that is not worse than another.

    The steps have seen more images than a check has, whose lowest would be an accident of its seeds. Checks only
    call back what has gone too far: where FID(place) − FID(lowest), paired by seed, is above 0.
    """
    start, *_ = checks = descent["checks"]
    fids = [jackknife_replicates(check, "fid") for check in checks]
    lowest = min(fids, key=lambda fid: fid.full)
    *_, best = (check for check, fid in zip(checks, fids, strict=True) if paired_difference(fid, lowest).low <= 0)
    single = point_name(dict.fromkeys(parse_point(points[0]), next(iter(start["w"].values()))))
    name = single if best is start else point_name(best["w"])
    chosen = {
        of: {key: value for key, value in check.items() if key not in ("step", "w")}
        for of, check in ((single, start), (name, best))
    }
    others = {of: rounds[0][of] for of in points}
    similar = indistinguishable(others | {name: chosen[name]}, name)
    place = best_on_line(limits, points, rounds).stationary(single=True)
    interval = plain_interval(place[0]) if place else None
    return {
        "global": single,
        "blockwise": name,
        "chosen_by": chosen,
        "indistinguishable": [of for of in similar if of in points],
        "descent": {
            "fids": {check["step"]: check["fid"] for check in checks},
            "chosen": best["step"],
            "single_interval": [interval.low, interval.high] if interval else None,
            **{key: descent[key] for key in ("checked", "differentiated")},
        },
    }


def _described(blocks: Sequence[str], for_single: Surface, fitted: Surface, settings: str) -> dict:
    """What summary.json and the figures tell of the surface on which the winner lies."""
    places, single = fitted.stationary(), for_single.stationary(single=True)
    intervals = [plain_interval(place) for place in places] if places else None
    of_single = plain_interval(single[0]) if single else None
    quadratic = fitted.full
    return {
        "region": [float(fitted.region.low[0]), float(fitted.region.high[0])],
        "w_interval": dict(zip(blocks, [[one.low, one.high] for one in intervals], strict=True))
        if intervals
        else None,
        "single_interval": [of_single.low, of_single.high] if of_single else None,
        "misfit": None if np.isnan(fitted.misfit) else fitted.misfit,
        "settings": settings,
        "constant": quadratic.constant,
        "gradient": quadratic.gradient.tolist(),
        "curvature": quadratic.curvature.tolist(),
        "places": [place.pseudo_values.tolist() for place in places] if places else None,
    }


def _surfaces(region: Region, rounds: Sequence[Metrics]) -> dict[str, Surface]:
    """Sampler settings, as names write them → the surface over the weights."""
    of: dict[str, list[tuple[np.ndarray, list[JackknifeReplicates]]]] = {}
    for metrics in rounds:
        finite = sorted((name for name in metrics if metrics[name]["fid"] is not None), key=lambda n: split(n)[1])
        for settings, names in groupby(finite, key=lambda name: split(name)[1]):
            names = list(names)
            fids = [jackknife_replicates(metrics[name], "fid") for name in names]
            of.setdefault(settings, []).append((as_places(list(map(parse_point, names))), fids))
    return {settings: surface.fit(region, parts) for settings, parts in of.items()}


def _about(rounds: Sequence[Metrics]) -> dict:
    """How many images and features the winner was chosen by."""
    of = [next(one for one in metrics.values() if one["fid"] is not None) for metrics in rounds]
    return {"images": sum(one["images"] for one in of), "dimension": of[0]["dimension"]}


def _metrics(fid: JackknifeReplicates, about: Mapping) -> dict:
    return {**about, "fid": fid.full, "without_block": {"fid": fid.without.tolist()}}


def _pooled_by_all(rounds: Sequence[Metrics]) -> dict[str, dict]:
    """The metrics over all rounds of the points that took part in all, which is those of the last."""
    return {name: pooled([metrics[name] for metrics in rounds]) for name in rounds[-1]}


def pooled(rounds: Sequence[Mapping]) -> dict:
    """One point's FID over several rounds: the mean, since its bias a/n is the same in each round."""
    if len(rounds) == 1:
        return dict(rounds[0])
    if any(metrics["fid"] is None for metrics in rounds):
        return {"fid": None, "diverged": True}
    fids = [jackknife_replicates(metrics, "fid") for metrics in rounds]
    mean = float(np.mean([fid.full for fid in fids]))
    without = [mean + (fid.without - fid.full) / len(rounds) for fid in fids]
    about = {"images": sum(metrics["images"] for metrics in rounds), "dimension": rounds[0]["dimension"]}
    return _metrics(joined(mean, without), about)
