"""Rivals on held-out images, as they stand in rivals.json: FIDs, paired differences, prices; and in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean

from adaptive_neon.merging.grid import parse_point
from adaptive_neon.search.selection import best_point, search_metrics
from adaptive_neon.search.settings import parse_settings, settings_text
from adaptive_neon.studies.comparison import fid_difference, with_intervals
from adaptive_neon.studies.summary import all_replicas_at, differences_over_replicas, fids_over_replicas
from adaptive_neon.studies.wording import ROLE_NAMES, estimate_text, weights_text

COSTS = ("kind", "candidates", "evaluations", "training_kimg", "of_training")


def choose(candidates: Sequence[str], search: Mapping[str, Mapping]) -> dict:
    """The candidate of a rival with the lowest FID on the search images; the first if all have diverged.

    Args:
        candidates: names of points.
        search: their metrics; none where there is but one candidate.
    """
    fids = {name: search_metrics(search[name])["fid"] for name in candidates if name in search}
    finite = any(fid is not None for fid in fids.values())
    return {"point": best_point(fids) if finite else candidates[0], "search": fids}


def own_points(roles: Mapping[str, str]) -> dict[str, str]:
    """Of the study itself: base, best single weight, and best weights per block if there are several blocks."""
    several = len(parse_point(roles["base"])) > 1
    return {role: roles[role] for role in ("base", "global", *(["blockwise"] if several else []))}


def compare(
    kimg: int, points: Mapping[str, str], measured: Mapping[str, Mapping], about: Mapping[str, Mapping]
) -> dict:
    """A snapshot of a replica: each model against the base model and the best single weight, paired by seed.

    Args:
        points: model → name of its point; `base`, `global` (best single weight), `blockwise` and the rivals.
        measured: model → metrics on the held-out images.
        about: model → what it costs (see `costs.costs`).
    """
    models = {}
    for name, metrics in measured.items():
        model = {"w": parse_point(points[name]), **about[name], **with_intervals(metrics)}
        if settings := parse_settings(points[name]):
            model["sampler"] = settings
        if name != "base":
            model["improvement"] = fid_difference(measured["base"], metrics)
        if name not in ("base", "global"):
            model["gain"] = fid_difference(measured["global"], metrics)
        models[name] = model
    return {"kimg": kimg, "models": models}


def summarise(config: Mapping, replicas: Sequence[Sequence[Mapping]]) -> dict:
    """rivals.json, from the entries of each replica's snapshots."""
    blocks = config["intervals"]["seed_blocks"]
    summary = {
        "study": "rivals",
        "experiment": config["experiment"],
        "features": config["features"]["extractor"],
        "images": config["heldout"]["images"],
        "snapshots": replicas[0],
    }
    if len(replicas) > 1:
        summary["replicas"] = [{"snapshots": entries} for entries in replicas]
        summary["over_replicas"] = [
            _over_replicas([entries[i] for entries in replicas], blocks) for i in range(len(replicas[0]))
        ]
    return summary


def _over_replicas(entries: Sequence[Mapping], seed_blocks: int) -> dict:
    models = {}
    for name in entries[0]["models"]:
        each = [entry["models"][name] for entry in entries]
        models[name] = {"fid": fids_over_replicas(each, seed_blocks)}
        for key in ("improvement", "gain"):
            if key in each[0]:
                models[name][key] = differences_over_replicas([model[key] for model in each], seed_blocks)
    return {"kimg": entries[0]["kimg"], "replicas": len(entries), "models": models}


def shown(summary: Mapping, kimg: int) -> dict[str, dict]:
    """What tables and figures tell of each model at a snapshot: over all replicas, where there are several.

    Returns:
        name → its costs, those of the first replica; `label`; `weights`, how often each was chosen; `fid`, the
        plain one, the mean of the replicas, None if all have diverged; `fid_corrected` with its `interval`; and
        `improvement` and `gain`, differences as in the summary.
    """
    replicas = [_at(replica, kimg) for replica in summary.get("replicas", [summary])]
    over = all_replicas_at(summary, kimg)
    models = {}
    for name, first in replicas[0].items():
        each = [replica[name] for replica in replicas]
        fids = [model["fid"] for model in each if model["fid"] is not None]
        model = {key: first[key] for key in COSTS}
        model |= {"label": ROLE_NAMES.get(name, name), "weights": _weights(each)}
        model["fid"] = mean(fids) if fids else None
        levels = over["models"][name] if over else None
        measured = levels["fid"] if levels else {**first, "interval": first.get("fid_interval")}
        model["fid_corrected"], model["interval"] = (
            (measured["fid_corrected"], measured["interval"])
            if measured and measured["interval"] is not None
            else (None, None)
        )
        for key in ("improvement", "gain"):
            model[key] = (levels or first).get(key)
        models[name] = model
    return models


def _at(replica: Mapping, kimg: int) -> Mapping[str, Mapping]:
    return next(entry["models"] for entry in replica["snapshots"] if entry["kimg"] == kimg)


def _weights(models: Sequence[Mapping]) -> str:
    """`0.75`, or of several replicas `0.75 (2×), 0.5`; with the searched settings of the sampler."""
    texts = []
    for model in models:
        w = [weights_text(model["w"])] if any(model["w"].values()) else []
        texts.append(" ".join([*w, *([settings_text(model["sampler"])] if "sampler" in model else [])]))
    counted = Counter(texts).most_common()
    return "; ".join(f"{text} ({count}×)" if len(counted) > 1 else text for text, count in counted)


def pareto(models: Mapping[str, Mapping]) -> list[str]:
    """The models that no other beats in both: rising in network evaluations an image, falling in FID."""
    finite = {name: model for name, model in models.items() if model["fid"] is not None}
    front: list[str] = []
    for name in sorted(finite, key=lambda one: (finite[one]["evaluations"], finite[one]["fid"])):
        if not front or finite[name]["fid"] < finite[front[-1]]["fid"]:
            front.append(name)
    return front


TABLE_HEADER = [
    "kimg",
    "model",
    "w, settings",
    "of candidates",
    "network evaluations an image",
    "further training, kimg",
    "of the base's training",
    "FID",
    "base − model [95 %]",
    "verdict",
    "single weight − model [95 %]",
    "verdict",
]


def table_rows(summary: Mapping) -> list[list[str]]:
    """A row a model and snapshot, the cheapest to draw first."""
    rows = []
    for entry in summary["snapshots"]:
        models = shown(summary, entry["kimg"])
        for model in sorted(models.values(), key=lambda one: one["evaluations"]):
            share = "" if model["of_training"] is None else f"{model['of_training']:.1%}"
            row = [str(entry["kimg"]), model["label"], model["weights"], str(model["candidates"])]
            row += [str(model["evaluations"]), f"{model['training_kimg']:g}", share]
            row.append("diverged" if model["fid"] is None else f"{model['fid']:.3f}")
            for key in ("improvement", "gain"):
                difference = model[key]
                row += [estimate_text(difference, "interval"), difference["verdict"]] if difference else ["", ""]
            rows.append(row)
    return rows


def sentences(summary: Mapping, kimg: int) -> list[str]:
    """How the rivals stand against the best single weight, and which models are on the Pareto front."""
    models = shown(summary, kimg)
    single = models["global"]
    if single["fid"] is None:
        return ["The best single weight diverged; there is nothing to compare rivals with."]
    rivals = {name: model for name, model in models.items() if name not in ("base", "global", "blockwise")}
    parts = []
    for verdict in ("better", "not distinguishable", "worse"):
        found = [_text(rival) for rival in rivals.values() if rival["gain"]["verdict"] == verdict]
        parts += [f"{verdict}: {', '.join(found)}"] if found else []
    front = ", ".join(models[name]["label"] for name in pareto(models))
    return [
        f"Rivals after {kimg} kimg, with FID and network evaluations an image, against the {_text(single)}. "
        f"By their paired intervals {'; '.join(parts)}. The Pareto front of the plain FIDs: {front}."
    ]


def _text(model: Mapping) -> str:
    fid = "diverged" if model["fid"] is None else f"{model['fid']:.3f}"
    return f"{model['label']} ({fid}, {model['evaluations']})"
