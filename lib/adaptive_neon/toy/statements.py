"""What the two papers state of the 2-D Gaussian, and whether it holds in the record of a seed.

A record is {"diffusion" and "autoregressive": {"sweep", "alignment"}, "layerwise", "search"}, each part as its
stage wrote it. What is published is a record too, of what it has numbers for.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from adaptive_neon.toy import published
from adaptive_neon.toy.scales import SCALES

GRADIENT = "gradient-based search"


def published_record() -> dict:
    """What Adaptive Neon reports, in the form of a seed's record."""
    entries = [
        {"scale": scale, "epochs": epochs, "w": w, "distance": distance}
        for (scale, epochs), (w, distance) in published.SWEEP.items()
    ]
    grids = [{"delta": delta, "distance": distance} for delta, distance in published.LAYERWISE.items()]
    for entry in grids:
        steps = published.WINNERS[entry["delta"]]
        blocks = ("input", "block1", "block2", "block3", "block4", "output")
        entry["point"] = {
            block: published.SINGLE_WEIGHT + entry["delta"] * steps.get(block, 0) for block in blocks
        }
    alignment = {"scales": list(published.ALIGNMENT), "cosines": list(published.ALIGNMENT.values())}
    return {
        "diffusion": {"sweep": {"base": published.BASE, "self_training": entries}, "alignment": alignment},
        "layerwise": {"w": published.SINGLE_WEIGHT, "single": published.SINGLE, "grids": grids},
    }


def below(distance: float | None, other: float | None) -> bool:
    """Whether a distance is lower than another; None is a diverged model, farther than any."""
    return distance is not None and (other is None or distance < other)


def gain(record: Mapping, entry: Mapping) -> float | None:
    """The share of the best single weight's distance that a layer-wise model takes away."""
    if entry["distance"] is None:
        return None
    return 1 - entry["distance"] / record["layerwise"]["single"]


def steps(point: Mapping[str, float], center: float) -> dict[str, int]:
    """Block → −1, 0 or 1: where its weight stands in the grid around `center`."""
    return {block: int(np.sign(round(w - center, 9))) for block, w in point.items()}


def scale_text(family: str, scale: float) -> str:
    """A scale as people write it, such as `ζ = 1.1 (mode-seeking)`."""
    seeking = SCALES[family].seeking(scale)
    return f"{SCALES[family].symbol} = {scale:g}" + (f" ({seeking}-seeking)" if seeking else "")


def setting(family: str, scale: float, epochs: int) -> str:
    """A self-training as people write it."""
    return f"{scale_text(family, scale)}, {epochs} epochs"


def statements(record: Mapping) -> dict[str, bool]:
    """What the two papers state of the 2-D Gaussian, and what ours adds → whether it holds in a record."""
    found = {}
    for family in filter(record.__contains__, SCALES):
        sweep = record[family]["sweep"]
        for entry in sweep["self_training"]:
            seeking = SCALES[family].seeking(entry["scale"])
            name = setting(family, entry["scale"], entry["epochs"])
            found[f"{family}, {name}: the best single weight improves the base model"] = below(
                entry["distance"], sweep["base"]
            )
            if seeking:
                found[
                    f"{family}, {name}: the best single weight is {'above' if seeking == 'mode' else 'below'} 0"
                ] = entry["w"] > 0 if seeking == "mode" else entry["w"] < 0
        alignment = list(zip(*record[family]["alignment"].values(), strict=True))
        for seeking, sign in (("mode", -1), ("diversity", 1)):
            cosines = [cosine for scale, cosine in alignment if SCALES[family].seeking(scale) == seeking]
            word = "negative" if sign < 0 else "positive"
            found[f"{family}, gradient alignment: {word} at every {seeking}-seeking {SCALES[family].symbol}"] = (
                all(sign * cosine > 0 for cosine in cosines)
            )
    return found | _layerwise_statements(record)


def _layerwise_statements(record: Mapping) -> dict[str, bool]:
    single, grids = record["layerwise"]["single"], record["layerwise"]["grids"]
    wins = {entry["delta"]: below(entry["distance"], single) for entry in grids}
    found = {
        f"layer-wise, δ = {delta:g}: the best point improves on the best single weight": win
        for delta, win in wins.items()
    }
    found["layer-wise: the best point improves on the best single weight at every δ"] = all(wins.values())
    found["layer-wise: the gain grows from each δ to the next"] = all(
        below(after["distance"], before["distance"]) for before, after in pairwise(grids)
    )
    last = grids[-1]
    found[f"layer-wise: no δ gains more than {last['delta']:g}"] = not any(
        below(entry["distance"], last["distance"]) for entry in grids
    )
    if last["delta"] in published.LAYERWISE:
        share = round(1 - published.LAYERWISE[last["delta"]] / published.SINGLE, 2)
        found[f"layer-wise, δ = {last['delta']:g}: the gain is {share:.0%} or more"] = (
            last["distance"] is not None and round(gain(record, last), 2) >= share
        )
        pattern = published.WINNERS[last["delta"]]
        words = ", ".join(f"{block} {'+' if step > 0 else '−'}δ" for block, step in pattern.items())
        found[f"layer-wise, δ = {last['delta']:g}: the winner is the published one ({words})"] = {
            block: step for block, step in steps(last["point"], record["layerwise"]["w"]).items() if step
        } == pattern
    if "search" in record:
        first = record["search"][0]["distance"]
        best_grid = min((entry["distance"] for entry in grids if entry["distance"] is not None), default=None)
        found[f"{GRADIENT} from w*: its end improves on the best single weight"] = below(first, single)
        found[f"{GRADIENT} from w*: its end improves on the best point of all grids"] = below(first, best_grid)
    return found
