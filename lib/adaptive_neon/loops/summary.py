"""The result of a loop: summary.json, its tables, and the lines that a terminal and a report begin with."""

from collections.abc import Iterable, Mapping, Sequence

from adaptive_neon.evaluation.measurement import jackknife_replicates
from adaptive_neon.statistics.jackknife import Interval, mean_interval, mean_within, plain_interval, verdict, wider
from adaptive_neon.studies.comparison import fid_difference, with_intervals
from adaptive_neon.studies.tables import number

SHOWN = {  # metric → its words
    "fid": "FID",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
    "variance": "variance of features",
}
SHARES = tuple(SHOWN)[1:]


def summarise(
    experiment: str,
    features: str,
    images: int,
    seed_blocks: int,
    regimes: Sequence[Mapping],
    measured: Mapping[str, Sequence[Sequence[Mapping]]],
    weights: Mapping[str, Sequence[Sequence[float]]],
) -> dict:
    """summary.json of a loop.

    Args:
        images: held out, of each model.
        regimes: the entries of `loop.regimes` in the configuration.
        measured: regime → for each replica the metrics of the generations 0 …, as `measurement.measure` gives.
        weights: regime → for each replica the w of the generations 1 …; only of regimes with Neon.

    Returns:
        For each regime its `replicas`, a list of generations each; `generations`, what all replicas say together
        of each; `rise`, FID of the last generation − FID of generation 0. For each regime with Neon and one that
        is the same without it, in `neon`, `gain`, the FID without − the FID with it, for each generation.
    """

    def difference(a: str, b: str, generation: int, other: int) -> dict:
        pairs = zip(measured[a], measured[b], strict=True)
        return together_difference([(x[generation], y[other]) for x, y in pairs], seed_blocks)

    last = len(next(iter(measured.values()))[0]) - 1
    result = {
        "study": "loop",
        "experiment": experiment,
        "features": features,
        "images": {"heldout": images},
        "seed_blocks": seed_blocks,
        "replicas": len(next(iter(measured.values()))),
        "regimes": [],
        "neon": [],
    }
    for regime in regimes:
        name = regime["name"]
        replicas = [[_entry(metrics) for metrics in replica] for replica in measured[name]]
        for replica, chosen in zip(replicas, weights.get(name, []), strict=False):
            for entry, w in zip(replica[1:], chosen, strict=True):
                entry["w"] = w
        generations = [
            {metric: together([replica[g] for replica in replicas], metric, seed_blocks) for metric in SHOWN}
            for g in range(last + 1)
        ]
        result["regimes"].append(
            {"regime": dict(regime), "replicas": replicas, "generations": generations}
            | {"rise": difference(name, name, last, 0)}
        )
        for other in without_neon(regime, regimes):
            gains = [difference(other, name, generation, generation) for generation in range(1, last + 1)]
            result["neon"].append({"regime": name, "without": other, "gain": gains})
    return result


def without_neon(regime: Mapping, regimes: Iterable[Mapping]) -> list[str]:
    """The names of the regimes that differ from one with Neon by nothing else; of one without it, none."""

    def rest(one: Mapping) -> dict:
        return {"start": "previous"} | {key: one[key] for key in one if key not in ("name", "neon")}

    if "neon" not in regime:
        return []
    return [other["name"] for other in regimes if "neon" not in other and rest(other) == rest(regime)]


def together(entries: Sequence[Mapping], metric: str, seed_blocks: int) -> dict | None:
    """Mean of a metric over the replicas and its interval; None if a replica diverged.

    The interval is the wider of that over replicas and that over the seeds of the images, as in
    `studies.summary.two_levels`; of one replica, the latter. Of the FID, `mean` is the plain one and `interval` is
    around the corrected one, `corrected`.
    """
    if any(entry["fid"] is None for entry in entries):
        return None
    centre = "fid_corrected" if metric == "fid" else metric
    estimate = _over([Interval(entry[centre], *entry[f"{metric}_interval"]) for entry in entries], seed_blocks)
    mean = sum(entry[metric] for entry in entries) / len(entries)
    corrected = {"corrected": estimate.estimate} if metric == "fid" else {}
    return {"mean": mean, **corrected, "interval": [estimate.low, estimate.high]}


def together_difference(pairs: Sequence[tuple[Mapping, Mapping]], seed_blocks: int) -> dict:
    """FID(a) − FID(b) over the replicas, paired by seed, and the verdict on b.

    `mean` is that of plain FIDs, `interval` is around `corrected`.
    """
    differences = [fid_difference(a, b) for a, b in pairs]
    if any(difference["fid"] is None for difference in differences):
        return {"mean": None, "corrected": None, "interval": None, "verdict": "not distinguishable"}
    estimate = _over([Interval(d["fid_corrected"], *d["interval"]) for d in differences], seed_blocks)
    return {
        "mean": sum(difference["fid"] for difference in differences) / len(differences),
        "corrected": estimate.estimate,
        "interval": [estimate.low, estimate.high],
        "verdict": verdict(estimate),
    }


def _over(estimates: Sequence[Interval], seed_blocks: int) -> Interval:
    if len(estimates) == 1:
        return estimates[0]
    return wider(mean_interval([e.estimate for e in estimates]), mean_within(estimates, seed_blocks))


def _entry(metrics: Mapping) -> dict:
    entry = with_intervals(metrics)
    if entry["fid"] is not None:
        variance = plain_interval(jackknife_replicates(metrics, "variance"))
        entry |= {"variance": variance.estimate, "variance_interval": [variance.low, variance.high]}
        entry["spread"] = metrics["spread"]
    return entry


# In words


def described(regime: Mapping) -> str:
    """What a generation of a regime is trained on, in words."""
    share = f"{100 * regime.get('real', 0):g} %"
    data = {
        "replace": "the images of the generation before",
        "accumulate": "the real images and those of all generations before",
        "subsample": "as many images as ever, drawn from the real ones and those of all generations before",
        "fixed": f"{share} real images, always the same, and images of the generation before",
        "fresh": f"{share} real images, others in each generation, and images of the generation before",
    }[regime["data"]]
    start = ", from scratch" if regime.get("start") == "scratch" else ""
    weights = regime.get("neon", [])
    choice = "the best w of " if len(weights) > 1 else "w = "
    neon = f"; turned around by Neon, {choice}{', '.join(f'{w:g}' for w in weights)}" if weights else ""
    return data + start + neon


_RISE = {"better": "worse than", "worse": "better than", "not distinguishable": "not distinguishable from"}


def terminal_lines(summary: Mapping) -> list[str]:
    """What became of each regime, and what Neon did."""
    regimes, replicas = summary["regimes"], summary["replicas"]
    last = len(regimes[0]["generations"]) - 1
    base = regimes[0]["generations"][0]
    loops = f"the mean of {replicas} loops" if replicas > 1 else "one loop"
    lines = [
        f"{summary['experiment']}: generation {last}, {loops}: FID ({summary['features']} features) on "
        f"{summary['images']['heldout']} held-out images; the base model, generation 0, has {_plain(base, 'fid')}"
    ]
    for entry in regimes:
        now = entry["generations"][-1]
        lines.append(
            f"  {entry['regime']['name']} ({described(entry['regime'])}): {_fate(base, now, entry['rise'])}"
        )
    for entry in summary["neon"]:
        lines.append(f"  Neon: {_gain(entry)}")
    return lines


def _fate(base: Mapping, now: Mapping, rise: Mapping) -> str:
    if now["fid"] is None:
        return "diverged"
    moved = ", ".join(f"{SHOWN[m]} {_plain(base, m)} → {_plain(now, m)}" for m in SHARES if base[m])
    return (
        f"FID {_plain(now, 'fid')}, {_RISE[rise['verdict']]} generation 0 (by {number(rise['corrected'])} "
        f"{_ends(rise['interval'])}, corrected); {moved}"
    )


def _gain(entry: Mapping) -> str:
    """How the regime with Neon compares with the one without, over the generations."""
    verdicts = [gain["verdict"] for gain in entry["gain"]]
    last = entry["gain"][-1]
    if last["interval"] is None:
        return f"{entry['regime']} or {entry['without']} diverged"
    than = "from" if last["verdict"] == "not distinguishable" else "than"
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    return (
        f"{entry['regime']} is {last['verdict']} {than} {entry['without']} in the last generation, "
        f"FID {entry['without']} − FID {entry['regime']} = {number(last['corrected'])} {_ends(last['interval'])}, "
        f"corrected; over all generations: {counts}"
    )


def _plain(generation: Mapping, metric: str) -> str:
    return number(generation[metric]["mean"] if generation[metric] else None)


def _ends(interval: Sequence[float]) -> str:
    return f"[{number(interval[0])}, {number(interval[1])}]"


# Tables


def _generations(summary: Mapping) -> list[list[str]]:
    header = ["regime", "generation", "FID", "FID corrected [95 %]", *(f"{SHOWN[m]} [95 %]" for m in SHARES), "w"]
    rows = [header]
    for entry in summary["regimes"]:
        for g, generation in enumerate(entry["generations"]):
            row = [entry["regime"]["name"], str(g)]
            if generation["fid"] is None:
                rows.append(row + ["diverged"] * (len(header) - 2))
                continue
            fid = generation["fid"]
            row += [number(fid["mean"]), f"{number(fid['corrected'])} {_ends(fid['interval'])}"]
            row += [f"{number(generation[m]['mean'])} {_ends(generation[m]['interval'])}" for m in SHARES]
            weights = [replica[g]["w"] for replica in entry["replicas"] if "w" in replica[g]]
            rows.append([*row, ", ".join(f"{w:g}" for w in dict.fromkeys(weights))])
    return rows


def _regimes(summary: Mapping) -> list[list[str]]:
    rows = [
        [
            "regime",
            "trained on",
            "FID, generation 0",
            "FID, last",
            "rise, corrected [95 %]",
            "against generation 0",
        ]
    ]
    for entry in summary["regimes"]:
        first, last, rise = entry["generations"][0], entry["generations"][-1], entry["rise"]
        change = f"{number(rise['corrected'])} {_ends(rise['interval'])}" if rise["interval"] else "diverged"
        words = {"better": "worse", "worse": "better"}.get(rise["verdict"], rise["verdict"])
        row = [entry["regime"]["name"], described(entry["regime"]), _plain(first, "fid"), _plain(last, "fid")]
        rows.append([*row, change, words])
    return rows


TABLES = {"generations": _generations, "regimes": _regimes}  # header first
