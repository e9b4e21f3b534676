"""The result of a study in words: its answer, its tables, the lines on the terminal."""

import math
from collections.abc import Mapping, Sequence

from adaptive_neon.merging.grid import Point, is_single
from adaptive_neon.search.settings import settings_text
from adaptive_neon.studies.summary import all_replicas_at

MANY = 12  # blocks are too many to be named in a sentence
TABLE_HEADER = [
    "kimg",
    "best single weight",
    "FID",
    "FID corrected [95 %]",
    "best weights per block",
    "FID",
    "FID corrected [95 %]",
    "gain [95 %]",
    "verdict",
]


def table_rows(summary: Mapping) -> list[list[str]]:
    """Table 1 of the Adaptive Neon paper, with intervals: one row per snapshot, FIDs on held-out images."""
    rows = []
    for entry in summary["snapshots"]:
        row = [str(entry["kimg"])]
        for role in ("global", "blockwise"):
            model = entry[role]
            row += [
                ", ".join([weights_text(model["w"]), *_settings(model)]),
                _number(model["fid"]),
                estimate_text(model, "fid_interval"),
            ]
        rows.append([*row, estimate_text(entry["gain"], "interval"), entry["gain"]["verdict"]])
    return rows


METRICS_HEADER = [
    "model",
    "FID",
    "FID corrected [95 %]",
    "KID (± over subsets)",
    "precision",
    "recall",
    "density",
    "coverage",
]
ROLE_NAMES = {
    "base": "base",
    "collapsed": "collapsed",
    "global": "best single weight",
    "blockwise": "best weights per block",
}


def metrics_header(summary: Mapping) -> list[str]:
    """The metrics of the study: the Inception score only where its classifier is known."""
    return [*METRICS_HEADER, *(["Inception score (± over parts)"] if "inception_score" in summary["base"] else [])]


def metrics_rows(summary: Mapping, entry: Mapping) -> list[list[str]]:
    """All metrics of the four models of one snapshot on held-out images, with 95 % intervals."""
    rows = []
    for role, name in ROLE_NAMES.items():
        model = summary["base"] if role == "base" else entry[role]
        if model["fid"] is None:
            rows.append([name] + ["diverged"] * (len(metrics_header(summary)) - 1))
            continue
        shares = [
            f"{model[share]:.3f} {_ends(model[f'{share}_interval'])}"
            for share in ("precision", "recall", "density", "coverage")
        ]
        kid = f"{model['kid']:.3g} ± {model['kid_deviation']:.2g}"
        row = [name, _number(model["fid"]), estimate_text(model, "fid_interval"), kid, *shares]
        if "inception_score" in model:
            row.append(f"{model['inception_score']:.2f} ± {model['inception_score_deviation']:.2f}")
        rows.append(row)
    return rows


REPLICAS_HEADER = ["kimg", "what", "mean", "95 % within", "95 % over replicas", "wider", "positive", "verdict"]


def replicas_rows(summary: Mapping) -> list[list[str]]:
    """What all replicas say together: FIDs, differences and winning weights, with intervals at both levels."""
    rows = []
    for over in summary["over_replicas"]:
        kimg = str(over["kimg"])
        for role, name in ROLE_NAMES.items():
            rows.append([kimg, f"FID, {name}", *_levels(over[role]["fid"]), "", ""])
        for key, name in (("improvement", "FID base − single"), ("gain", "FID single − per block")):
            positive = f"{over[key]['positive']} of {over['replicas']}"
            rows.append([kimg, name, *_levels(over[key]), positive, over[key]["verdict"]])
        for role in ("global", "blockwise"):
            w = over[role]["w"]
            if len(w["mean"]) > MANY:
                continue
            blocks = {"": next(iter(w["mean"]))} if role == "global" else {f" of {b}": b for b in w["mean"]}
            for suffix, block in blocks.items():
                estimate = [f"{w['mean'][block]:.3f}", "", _ends(w["interval"][block])]
                rows.append([kimg, f"w{suffix}, {ROLE_NAMES[role]}", *estimate, "", "", ""])
    return rows


def _levels(levels: Mapping | None) -> list[str]:
    if levels is None or levels["interval"] is None:
        return ["diverged", "", "", ""]
    return [f"{levels['fid_corrected']:.3f}", _ends(levels["within"]), _ends(levels["over"]), levels["rests_on"]]


def table(name: str, summary: Mapping) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table `table1`, `metrics` (of the snapshot to speak of) or `replicas`."""
    return {
        "table1": lambda: (TABLE_HEADER, table_rows(summary)),
        "metrics": lambda: (metrics_header(summary), metrics_rows(summary, snapshot_shown(summary))),
        "replicas": lambda: (REPLICAS_HEADER, replicas_rows(summary)),
    }[name]()


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def headline(summary: Mapping) -> Mapping | None:
    """The snapshot to speak of: the one whose best single weight has the lowest FID; None if all diverged.

    Judged by the single weight, so that the choice doesn't favour the blocks.
    """
    finite = [entry for entry in summary["snapshots"] if entry["global"]["fid"] is not None]
    return min(finite, key=lambda entry: entry["global"]["fid"], default=None)


def snapshot_shown(summary: Mapping) -> Mapping:
    """The snapshot of the figures and the table of all metrics: `headline`, or the last one if all diverged."""
    return headline(summary) or summary["snapshots"][-1]


def answer(summary: Mapping) -> list[str]:
    """What one weight did to the FID, what one weight per block adds if there are several, what else moved."""
    entry = headline(summary)
    if entry is None:
        return [f"{summary['experiment']}: the best models of all snapshots diverged on the held-out images."]
    over = all_replicas_at(summary, entry["kimg"])
    weights = _weights(entry, over)
    roles = ("base", "global", "blockwise")
    base, single, blockwise = (plain_fid(summary, entry["kimg"], role) for role in roles)
    if over:
        improvement, gain = over["improvement"], over["gain"]
        level = f"over {over['replicas']} self-trainings, whose mean is given"
        won = f"; the blocks won in {gain['positive']} of {over['replicas']}"
    else:
        improvement, gain = entry["improvement"], entry["gain"]
        level = "over the seeds of the images, for this one self-training"
        won = ""
    if improvement["interval"] is None:
        return [f"{summary['experiment']}: the base model or the merged one diverged on the held-out images."]
    at = "".join(f" (at its best {settings})" for settings in _settings(summary["base"]))
    found = {role: over[role]["w"]["mean"] if over else entry[role]["w"] for role in ("global", "blockwise")}
    if not any(w for point in found.values() for w in point.values()):
        return [
            f"After {entry['kimg']} kimg of self-training, the search found nothing better than w = 0: the base "
            f"model itself{at}, whose FID is {base:.3f}."
        ]
    effect = {"better": "lowers", "worse": "raises"}.get(improvement["verdict"], "does not distinguishably change")
    sentences = [
        f"After {entry['kimg']} kimg of self-training, one weight for the whole network ({weights['global']}) "
        f"{effect} the FID: {base:.3f} for the base model{at}, {single:.3f} for the merged one "
        f"({single / base - 1:+.0%}). Corrected for the bias of a finite number of images, the improvement is "
        f"{estimate_text(improvement, 'interval')}, a 95 % interval {level}."
    ]
    moved = changes_text(summary["base"], entry, first=bool(over))
    if "blockwise" not in weights:
        return [*sentences, moved]
    if gain["interval"] is None:
        return [*sentences, "The best model with one weight per block diverged."]
    sentences.append(
        f"One weight per block ({weights['blockwise']}) gives {blockwise:.3f}, {_VERDICTS[gain['verdict']]} the "
        f"best single weight: the corrected gain is {estimate_text(gain, 'interval')}{won}."
    )
    return [*sentences, moved]


def _weights(entry: Mapping, over: Mapping | None) -> dict[str, str]:
    """The weights of the winners as text, of several replicas their means; a single block has one winner."""
    roles = ("global", "blockwise") if len(entry["global"]["w"]) > 1 else ("global",)
    return {role: _winners_text(over[role]) if over else model_text(entry[role]) for role in roles}


def plain_fid(summary: Mapping, kimg: int, role: str) -> float:
    """The FID as usually computed, without correction; the mean over the replicas that have one."""
    replicas = summary.get("replicas", [summary])
    entries = [
        replica["base"] if role == "base" else next(e for e in replica["snapshots"] if e["kimg"] == kimg)[role]
        for replica in replicas
    ]
    fids = [entry["fid"] for entry in entries if entry["fid"] is not None]
    return sum(fids) / len(fids) if fids else math.nan


# (precision, recall) → what that means.
_MEANINGS = {
    ("rises", "rises"): "fidelity and diversity both improve",
    ("rises", "falls"): "fidelity improves at the expense of diversity",
    ("rises", "not distinguishable"): "fidelity improves",
    ("falls", "rises"): "diversity recovers at the expense of fidelity",
    ("falls", "falls"): "fidelity and diversity both suffer",
    ("falls", "not distinguishable"): "fidelity suffers",
    ("not distinguishable", "rises"): "diversity recovers",
    ("not distinguishable", "falls"): "diversity suffers",
    ("not distinguishable", "not distinguishable"): "neither fidelity nor diversity changes distinguishably",
}


def changes_text(base: Mapping, entry: Mapping, first: bool = False) -> str:
    """A sentence on precision, recall and coverage of the best single weight against the base model.

    Args:
        first: whether the entry is of the first of several replicas, which the sentence then says.
    """
    changes, single = entry["changes"], entry["global"]
    parts = []
    for name in ("precision", "recall", "coverage"):
        verdict = changes[name]["verdict"]
        verb = "stays (within its interval)" if verdict == "not distinguishable" else verdict
        parts.append(f"{name} {verb}, {base[name]:.3f} → {single[name]:.3f}")
    text = "; ".join(parts)
    meaning = _MEANINGS[changes["precision"]["verdict"], changes["recall"]["verdict"]]
    of = " (first replica)" if first else ""
    return f"{text[0].upper()}{text[1:]}{of}: {meaning}."


_VERDICTS = {
    "better": "which is better than",
    "worse": "which is worse than",
    "not distinguishable": "which is not distinguishable from",
}


def terminal_lines(summary: Mapping) -> list[str]:
    """Lines for the terminal: the study, base, collapsed, best single and best per block, the answer.

    FIDs and weights are means over the replicas.
    """
    entry = headline(summary)
    if entry is None:
        return answer(summary)
    over = all_replicas_at(summary, entry["kimg"])
    fid = {role: plain_fid(summary, entry["kimg"], role) for role in ROLE_NAMES}
    images = summary["images"]
    lines = [
        f"{summary['experiment']}: FID ({summary['features']} features) on {images['heldout']} held-out images, "
        f"{entry['kimg']} kimg of self-training"
        + (f", means of {over['replicas']} self-trainings" if over else ""),
        f"  base θ_r                {_number(fid['base'])}, collapsed θ_s {_number(fid['collapsed'])}",
    ]
    for role, weights in _weights(entry, over).items():
        change = fid[role] / fid["base"] - 1
        against = f" ({change:+.0%} against base)" if math.isfinite(change) else ""
        lines.append(f"  {ROLE_NAMES[role]:<22}  {_number(fid[role])}{against} at {weights}")
    return [*lines, *answer(summary), *price_lines(summary)]


def price_lines(summary: Mapping) -> list[str]:
    """What the search has cost; nothing of a summary from before that was counted."""
    if not (price := summary.get("price")):
        return []
    share = "" if price["of_training"] is None else f", {price['of_training']:.0%} of the base model's training"
    return [f"The search drew {price['images']:,} images: {price['evaluations']:,} network evaluations{share}."]


def weights_text(point: Point) -> str:
    """A point as people write it: `0.75` if all agree, else `enc 0.5, mid 0.75, dec 1`; of many, the range."""
    if is_single(point):
        return f"{next(iter(point.values())):g}"
    if len(point) > MANY:
        return f"{min(point.values()):g} to {max(point.values()):g} in {len(point)} layers"
    return ", ".join(f"{block} {w:g}" for block, w in point.items())


def fitted_weights(model: Mapping) -> str:
    """The weights that a surface was fitted to with their intervals: `enc 0.52 [0.30, 0.74], mid …`."""
    intervals = model.get("w_interval")
    if intervals is None:
        return f"{weights_text(model['w'])}{', which has no interval' if 'w_interval' in model else ''}"
    if not isinstance(intervals, Mapping):
        return f"{weights_text(model['w'])} {_short_ends(intervals)}"
    return ", ".join(f"{block} {w:g} {_short_ends(intervals[block])}" for block, w in model["w"].items())


def _short_ends(interval: Sequence[float]) -> str:
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]"


def model_text(model: Mapping) -> str:
    """Weights of a model, and the searched sampler settings if there are any: `w = 0.75, guidance 1.5`."""
    return ", ".join([f"w = {weights_text(model['w'])}", *_settings(model)])


def _settings(model: Mapping) -> list[str]:
    return [settings_text(model["sampler"])] if "sampler" in model else []


def _winners_text(role: Mapping) -> str:
    """The mean weights over replicas: `0.7` or `enc 0.6, mid 0.8, dec 0.7`."""
    mean = {block: round(w, 2) for block, w in role["w"]["mean"].items()}
    return f"mean w = {weights_text(mean)}"


def _number(fid: float | None) -> str:
    return "diverged" if fid is None or math.isnan(fid) else f"{fid:.3f}"


def estimate_text(measured: Mapping, interval: str) -> str:
    """A corrected FID or difference and the interval around it: `0.123 [0.100, 0.150]`."""
    if measured.get(interval) is None:
        return "diverged"
    return f"{measured['fid_corrected']:.3f} {_ends(measured[interval])}"


def _ends(interval: Sequence[float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"
