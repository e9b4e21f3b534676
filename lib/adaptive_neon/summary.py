"""The result of a study as data and as text: summary.json, Table 1, the lines on the terminal."""

from collections.abc import Mapping, Sequence

import numpy as np

from adaptive_neon.grid import Point, is_single, parse_point
from adaptive_neon.intervals import BlockedFid, difference, mean_interval, verdict


def compare(kimg: int, roles: Mapping[str, str], search: Mapping[str, dict], heldout: Mapping[str, dict]) -> dict:
    """A snapshot's entry in summary.json, and the base model's.

    Args:
        roles: `base`, `collapsed`, `global` (best single weight) and `blockwise` (best point) → point name.
        search: point name → metrics on the search images.
        heldout: point name → metrics on the held-out images.
    """
    entry: dict = {"kimg": kimg}
    for role, name in roles.items():
        entry[role] = _measured(heldout[name])
    for role in ("global", "blockwise"):
        entry[role] = {"w": parse_point(roles[role]), "search_fid": search[roles[role]]["fid"]} | entry[role]
    entry["gain"] = _gain(heldout[roles["global"]], heldout[roles["blockwise"]])
    return entry


def summarise(
    experiment: str, features: str, images: Mapping[str, int], replicas: Sequence[Sequence[dict]]
) -> dict:
    """summary.json of a study, from the entries of each replica's snapshots."""
    snapshots = [
        [{key: entry[key] for key in entry if key != "base"} for entry in replica] for replica in replicas
    ]
    summary = {
        "experiment": experiment,
        "features": features,
        "images": dict(images),
        "base": replicas[0][0]["base"],
        "snapshots": snapshots[0],
    }
    if len(replicas) > 1:
        summary["replicas"] = [
            {"base": replica[0]["base"], "snapshots": entries}
            for replica, entries in zip(replicas, snapshots, strict=True)
        ]
    return summary


def _measured(metrics: Mapping) -> dict:
    """Metrics as summary.json has them: the FID's replicates become an interval."""
    if metrics["fid"] is None:
        return {"fid": None, "diverged": True}
    estimate, low, high = mean_interval(_blocked(metrics).pseudo_values)
    others = {key: value for key, value in metrics.items() if key != "fid_without_block"}
    return others | {"fid_corrected": estimate, "fid_interval": [low, high]}


def _gain(single: Mapping, blockwise: Mapping) -> dict:
    """FID(single) − FID(per block) on the same seeds: positive where weights per block help."""
    if single["fid"] is None or blockwise["fid"] is None:
        return {"fid": None, "interval": None, "verdict": "not distinguishable"}
    gain = difference(_blocked(single), _blocked(blockwise))
    return {
        "fid": single["fid"] - blockwise["fid"],
        "fid_corrected": gain.estimate,
        "interval": [gain.low, gain.high],
        "verdict": verdict(gain),
    }


def _blocked(metrics: Mapping) -> BlockedFid:
    return BlockedFid(metrics["fid"], np.array(metrics["fid_without_block"]))


TABLE_HEADER = [
    "kimg",
    "best single w",
    "FID",
    "FID corrected [95 %]",
    "best w per block",
    "FID",
    "FID corrected [95 %]",
    "gain [95 %]",
    "verdict",
]


def table_rows(summary: Mapping) -> list[list[str]]:
    """Table 1 of the Adaptive Neon paper, with intervals: a row a snapshot, FIDs on held-out images."""
    rows = []
    for entry in summary["snapshots"]:
        row = [str(entry["kimg"])]
        for role in ("global", "blockwise"):
            model = entry[role]
            row += [weights_text(model["w"]), _number(model["fid"]), _estimate(model, "fid_interval")]
        rows.append([*row, _estimate(entry["gain"], "interval"), entry["gain"]["verdict"]])
    return rows


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def terminal_lines(summary: Mapping) -> list[str]:
    """Five lines for the terminal: the study, base, collapsed, best single and best per block, the gain.

    They speak of the snapshot whose best single weight has the lowest held-out FID.
    """
    measured = [entry for entry in summary["snapshots"] if entry["global"]["fid"] is not None]
    if not measured:
        return [f"{summary['experiment']}: the best models of all snapshots diverged on the held-out images"]
    entry = min(measured, key=lambda entry: entry["global"]["fid"])
    base = summary["base"]["fid"]
    images = summary["images"]
    lines = [
        f"{summary['experiment']}: FID ({summary['features']} features) on {images['heldout']} held-out images, "
        f"{entry['kimg']} kimg of self-training",
        f"  base θ_r        {_number(base)}, collapsed θ_s {_number(entry['collapsed']['fid'])}",
    ]
    for label, role in (("best single w ", "global"), ("best per block", "blockwise")):
        model = entry[role]
        change = "" if None in (model["fid"], base) else f" ({model['fid'] / base - 1:+.0%} against base)"
        lines.append(f"  {label}  {_number(model['fid'])}{change} at w = {weights_text(model['w'])}")
    gain = entry["gain"]
    lines.append(f"  gain per block  {_estimate(gain, 'interval')}, 95 % interval over seeds: {gain['verdict']}")
    return lines


def weights_text(point: Point) -> str:
    """A point as people write it: `0.75` if all blocks agree, else `enc 0.5, mid 0.75, dec 1`."""
    if is_single(point):
        return f"{next(iter(point.values())):g}"
    return ", ".join(f"{block} {w:g}" for block, w in point.items())


def _number(fid: float | None) -> str:
    return "diverged" if fid is None else f"{fid:.3f}"


def _estimate(measured: Mapping, interval: str) -> str:
    if measured["fid"] is None:
        return "diverged"
    low, high = measured[interval]
    return f"{measured['fid_corrected']:.3f} [{low:.3f}, {high:.3f}]"
