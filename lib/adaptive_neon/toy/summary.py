"""The studies over all seeds as data and as text: summary.json, tables, lines for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from adaptive_neon.jobs.files import read_json
from adaptive_neon.merging.grid import Point
from adaptive_neon.studies.tables import number
from adaptive_neon.toy import published
from adaptive_neon.toy.scales import SCALES
from adaptive_neon.toy.statements import GRADIENT, below, gain, published_record, setting, statements


def read_record(folder: str | Path) -> dict:
    """The record of a seed (see `statements`) from its folder."""

    def read(name: str):
        return read_json(Path(folder) / f"{name}.json")

    families = {family: {part: read(f"{family}/{part}") for part in ("sweep", "alignment")} for family in SCALES}
    return families | {part: read(f"diffusion/{part}") for part in ("layerwise", "search")}


def spread(values: Iterable[float | None]) -> dict:
    """Median and range over the seeds, of the models that did not diverge, and every value."""
    values = list(values)
    finite = [value for value in values if value is not None]
    if not finite:
        return {"median": None, "low": None, "high": None, "values": values}
    return {"median": float(np.median(finite)), "low": min(finite), "high": max(finite), "values": values}


def summarise(records: Mapping[int, Mapping]) -> dict:
    """summary.json from the records of all seeds (seed → record). A spread is what `spread` returns."""
    seeds = list(records.values())
    summary: dict = {"study": "toy", "seeds": list(records)}
    for family in SCALES:
        sweeps = [record[family]["sweep"] for record in seeds]
        summary[family] = {
            "base": spread(sweep["base"] for sweep in sweeps),
            "self_training": [
                {"scale": entries[0]["scale"], "epochs": entries[0]["epochs"]}
                | {key: spread(entry[key] for entry in entries) for key in ("w", "collapsed", "distance")}
                for entries in zip(*(sweep["self_training"] for sweep in sweeps), strict=True)
            ],
            "alignment": {
                "scales": seeds[0][family]["alignment"]["scales"],
                "cosines": [
                    spread(cosines)
                    for cosines in zip(*(record[family]["alignment"]["cosines"] for record in seeds), strict=True)
                ],
            },
        }
    layerwise = [record["layerwise"] for record in seeds]
    summary["layerwise"] = {
        "w": spread(part["w"] for part in layerwise),
        "single": spread(part["single"] for part in layerwise),
        "grids": [
            {
                "delta": entries[0]["delta"],
                "distance": spread(entry["distance"] for entry in entries),
                "search": spread(entry["search"] for entry in entries),
                "gain": spread(map(gain, seeds, entries)),
                "points": [entry["point"] for entry in entries],
            }
            for entries in zip(*(part["grids"] for part in layerwise), strict=True)
        ],
        "evaluations": layerwise[0]["evaluations"],
        "seconds": spread(part["seconds"] for part in layerwise),
        "best": spread(best_entry(part["grids"])["distance"] for part in layerwise),
    }
    starts = {"from_single": [record["search"][:1] for record in seeds]}
    if len(seeds[0]["search"]) > 1:
        starts["from_random"] = [record["search"][1:] for record in seeds]
    summary["search"] = {
        name: {
            "starts": len(optima[0]),
            "distance": spread(best_entry(part)["distance"] for part in optima),
            "search": spread(best_entry(part)["search"] for part in optima),
            "gain": spread(gain(record, best_entry(part)) for record, part in zip(seeds, optima, strict=True)),
            "evaluations": spread(sum(entry["evaluations"] for entry in part) for part in optima),
            "seconds": spread(sum(entry["seconds"] for entry in part) for part in optima),
            "points": [best_entry(part)["point"] for part in optima],
        }
        for name, optima in starts.items()
    }
    held = {seed: statements(record) for seed, record in records.items()}
    reported = statements(published_record())
    summary["statements"] = [
        {
            "statement": text,
            "published": reported.get(text),
            "holds": [seed for seed in records if held[seed][text]],
        }
        for text in held[next(iter(records))]
    ]
    return summary


def best_entry(entries: Sequence[Mapping]) -> Mapping:
    """The entry that a search would choose: lowest on the samples of the search, not on those that verify."""
    return min(entries, key=lambda entry: float("inf") if entry["search"] is None else entry["search"])


def range_text(values: Mapping, text=number) -> str:
    """`median [low, high]`."""
    return f"{text(values['median'])} [{text(values['low'])}, {text(values['high'])}]"


def _percent(value: float | None) -> str:
    return "diverged" if value is None else f"{round(value, 2) + 0.0:.0%}".replace("-", "−")


def layerwise_table(summary: Mapping) -> list[list[str]]:
    """Distance over δ beside the published one, with base, best single weight and gradient-based search."""
    layerwise = summary["layerwise"]
    single = layerwise["single"]["values"]
    rows = [["model", "published", "distance, median [range]", "gain, median [range]", "beats w* in"]]
    rows.append(["base, w = 0", number(published.BASE), range_text(summary["diffusion"]["base"]), "", ""])
    center = f"best single w*, {range_text(layerwise['w'])}"
    rows.append([center, number(published.SINGLE), range_text(layerwise["single"]), "", ""])
    models = {f"δ = {entry['delta']:g}": entry for entry in layerwise["grids"]}
    names = {"from_single": f"{GRADIENT} from w*", "from_random": f"{GRADIENT}, best of random starts"}
    models |= {names[name]: entry for name, entry in summary["search"].items()}
    for name, entry in models.items():
        reported = published.LAYERWISE.get(entry.get("delta"))
        wins = sum(map(below, entry["distance"]["values"], single))
        rows.append(
            [
                name,
                "" if reported is None else number(reported),
                range_text(entry["distance"]),
                range_text(entry["gain"], _percent),
                f"{wins} of {len(single)}",
            ]
        )
    return rows


def sweep_table(summary: Mapping) -> list[list[str]]:
    """The single-weight study: a row for each self-training, beside the published numbers."""
    rows = [
        [
            "model",
            "self-training",
            "w*",
            "published",
            "base",
            "collapsed",
            "at w*",
            "published",
            "improves base in",
        ]
    ]
    for family in SCALES:
        part = summary[family]
        for entry in part["self_training"]:
            w, distance = published.SWEEP.get((entry["scale"], entry["epochs"]), (None, None))
            wins = sum(map(below, entry["distance"]["values"], part["base"]["values"]))
            rows.append(
                [
                    family,
                    setting(family, entry["scale"], entry["epochs"]),
                    range_text(entry["w"]),
                    "" if w is None else number(w),
                    range_text(part["base"]),
                    range_text(entry["collapsed"]),
                    range_text(entry["distance"]),
                    "" if distance is None else number(distance),
                    f"{wins} of {len(summary['seeds'])}",
                ]
            )
    return rows


def cost_table(summary: Mapping) -> list[list[str]]:
    """Result and cost of the grids and of the gradient-based search."""
    layerwise, search = summary["layerwise"], summary["search"]
    rows = [["search", "evaluations", "CPU seconds", "distance on its samples", "distance, verified"]]
    grids = layerwise["grids"]
    lowest = [min(_finite(entry["search"]["values"][i] for entry in grids)) for i in range(len(summary["seeds"]))]
    rows.append(
        [
            f"grids of {len(grids)} δ, the best point",
            str(layerwise["evaluations"]),
            range_text(layerwise["seconds"]),
            range_text(spread(lowest)),
            range_text(layerwise["best"]),
        ]
    )
    for name, entry in search.items():
        label = "from w*" if name == "from_single" else f"the best of {entry['starts']} random starts"
        rows.append(
            [
                f"{GRADIENT}, {label}",
                range_text(entry["evaluations"]),
                range_text(entry["seconds"]),
                range_text(entry["search"]),
                range_text(entry["distance"]),
            ]
        )
    return rows


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def statements_table(summary: Mapping) -> list[list[str]]:
    """Each statement, whether the published numbers show it, and in how many seeds it holds."""
    seeds = len(summary["seeds"])
    rows = [["statement", "published", "holds in"]]
    for entry in summary["statements"]:
        reported = {True: "yes", False: "no", None: ""}[entry["published"]]
        rows.append([entry["statement"], reported, f"{len(entry['holds'])} of {seeds}"])
    return rows


def picture_titles(family: str, record: Mapping) -> dict[str, tuple[tuple[float, int], Point]]:
    """What a picture of samples shows of a seed: title → (scale, epochs) of the θ_s, and the weights of the merge.

    Of the self-trainings it is that of the layer-wise study, or else the mode-seeking one of most epochs.
    """
    sweep, layerwise = record[family]["sweep"], record["layerwise"]
    entries = {(entry["scale"], entry["epochs"]): entry for entry in sweep["self_training"]}
    of_layers = (layerwise["scale"], layerwise["epochs"])
    mode_seeking = [key for key in entries if SCALES[family].seeking(key[0]) == "mode"] or list(entries)
    key = of_layers if family == "diffusion" else max(mode_seeking, key=lambda key: key[1])
    entry, blocks = entries[key], ["all"] if family != "diffusion" else list(layerwise["grids"][0]["point"])
    found = {
        "base θ_r": (sweep["base"], 0.0),
        "collapsed θ_s": (entry["collapsed"], -1.0),
        f"corrected, w = {entry['w']:g}": (entry["distance"], entry["w"]),
    }
    titles = {
        f"{name}\ndistance {number(distance)}": (key, dict.fromkeys(blocks, w))
        for name, (distance, w) in found.items()
    }
    if family == "diffusion":
        best = best_entry(layerwise["grids"])
        titles[f"per layer, δ = {best['delta']:g}\ndistance {number(best['distance'])}"] = (key, best["point"])
    return titles


TABLES = {
    "layerwise": layerwise_table,
    "sweep": sweep_table,
    "cost": cost_table,
    "statements": statements_table,
}


def terminal_lines(summary: Mapping) -> list[str]:
    """A few lines for the terminal: base, best single weight, best grid, gradient-based search."""
    layerwise, search = summary["layerwise"], summary["search"]["from_single"]
    last = layerwise["grids"][-1]
    seeds = len(summary["seeds"])
    lines = [
        f"toy: Fréchet distance to the 2-D Gaussian, median [range] over {seeds} seed{'s' * (seeds != 1)}",
        f"  base θ_r                     {range_text(summary['diffusion']['base'])}",
        f"  best single w                {range_text(layerwise['single'])} at w = {range_text(layerwise['w'])}",
        f"  layer-wise grid, δ = {last['delta']:<7g} {range_text(last['distance'])}",
        f"  {GRADIENT}        {range_text(search['distance'])}",
    ]
    always = sum(len(entry["holds"]) == seeds for entry in summary["statements"])
    lines.append(
        f"  {always} of {len(summary['statements'])} statements hold in every seed; see tables/statements.md"
    )
    return lines
