"""Neon on a Gaussian over its weight w: what the laws say, and what a simulation finds."""

from collections.abc import Mapping, Sequence

import numpy as np

from adaptive_neon.collapse.exact import neon as exact
from adaptive_neon.collapse.loop import stream
from adaptive_neon.collapse.metrics import held_out_loss, mean
from adaptive_neon.collapse.models.gaussian import Gaussian, standard_normal
from adaptive_neon.collapse.neon import COORDINATES, extrapolate, self_trained


def neon_study(protocol: Mapping, seed: int) -> dict[str, list[dict]]:
    """What the figures of Neon show, each a list of curves over w with the law and the simulation.

    Args:
        protocol: `seeds`; `weights`, the w that are tried; `sizes`, pairs n_r, n_s; `sets`, how many synthetic
            sets are averaged; `large`, the n of the iterated loop.
    """
    weights, seeds = protocol["weights"], protocol["seeds"]
    return {
        "mean": [_mean(*sizes, weights, seeds, seed) for sizes in protocol["sizes"]],
        "error": [_error(*protocol["sizes"][0], sets, weights, seeds, seed) for sets in protocol["sets"]],
        "loss": [_loss(protocol["sizes"][0][0], sets, weights, seeds, seed) for sets in protocol["sets"]],
        "fraction": [_fraction(*protocol["sizes"][0], f, weights, seeds, seed) for f in protocol["fractions"]],
        "coordinates": [_coordinate(*protocol["sizes"][0], name, weights, seeds, seed) for name in COORDINATES],
        "drift": [_drift(protocol["large"], name, weights, 20 * seeds, seed) for name in ("variance", "log")],
    }


def _pair(real: int, synthetic: int, seeds: int, seed: int, sets: int = 1):
    model, rng = Gaussian(), stream(seed, f"neon study {real} {synthetic} {sets}")
    base = model.fit(model.sample(standard_normal(seeds), real, rng))
    return base, self_trained(model, base, synthetic, rng, sets)


def _curve(label: str, weights: Sequence[float], law, simulated, **more) -> dict:
    return {
        "label": label,
        "weights": list(weights),
        "exact": [float(law(w)) for w in weights],
        "simulated": [mean(simulated(w)) for w in weights],
    } | more


def _mean(real: int, synthetic: int, weights: Sequence[float], seeds: int, seed: int) -> dict:
    base, tuned = _pair(real, synthetic, seeds, seed)
    return _curve(
        f"n_r = {real}, n_s = {synthetic}",
        weights,
        lambda w: exact.mean(w, real, synthetic),
        lambda w: extrapolate(base, tuned, w).variance,
        best=exact.weight(real, synthetic),
    )


def _error(real: int, synthetic: int, sets: int, weights: Sequence[float], seeds: int, seed: int) -> dict:
    base, tuned = _pair(real, synthetic, seeds, seed, sets)
    return _curve(
        f"{sets} synthetic set{'s' * (sets > 1)}",
        weights,
        lambda w: exact.mean_squared_error(w, real, synthetic, sets),
        lambda w: (extrapolate(base, tuned, w).variance - 1) ** 2,
    )


def _loss(n: int, sets: int, weights: Sequence[float], seeds: int, seed: int) -> dict:
    """The held-out loss, in the limit of many sets and as simulated, as long as every model has a variance."""
    base, tuned = _pair(n, n, seeds, seed, sets)
    models = {w: extrapolate(base, tuned, w) for w in weights}
    kept = [w for w, model in models.items() if (model.variance > 0).all()]
    return _curve(
        f"{sets} synthetic set{'s' * (sets > 1)}",
        kept,
        lambda w: exact.held_out_loss(w, n),
        lambda w: held_out_loss(models[w], standard_normal(seeds)),
    )


def _fraction(real: int, synthetic: int, fraction: float, weights: Sequence[float], seeds: int, seed: int) -> dict:
    model, rng = Gaussian(), stream(seed, f"neon study fraction {fraction}")
    base = model.fit(model.sample(standard_normal(seeds), real, rng))
    tuned = self_trained(model, base, synthetic, rng, fraction=fraction)
    return _curve(
        f"f = {fraction:g}",
        weights,
        lambda w: exact.mean(w, real, synthetic, fraction=fraction),
        lambda w: extrapolate(base, tuned, w).variance,
        best=exact.weight(real, synthetic, fraction=fraction),
    )


def _coordinate(real: int, synthetic: int, name: str, weights: Sequence[float], seeds: int, seed: int) -> dict:
    """The median variance: merged precisions have no mean, their extrapolation passes through 0."""
    base, tuned = _pair(real, synthetic, seeds, seed)
    medians = [float(np.median(extrapolate(base, tuned, w, name).variance)) for w in weights]
    return {"label": name, "weights": list(weights), "median": medians}


def _drift(n: int, coordinates: str, weights: Sequence[float], seeds: int, seed: int) -> dict:
    base = standard_normal(seeds)
    tuned = self_trained(Gaussian(), base, n, stream(seed, f"neon drift {coordinates}"))
    return _curve(
        {"variance": "v merged", "log": "log v merged"}[coordinates],
        weights,
        lambda w: n * exact.log_step(w, n, coordinates),
        lambda w: n * np.log(extrapolate(base, tuned, w, coordinates).variance),
        approximate=[w - w**2 if coordinates == "variance" else 2 * w for w in weights],
        n=n,
    )
