"""Neon in a loop: every generation is fitted once more, to its own samples, and moved away from that."""

from collections.abc import Callable

import numpy as np

from adaptive_neon.collapse.loop import Correction, Model
from adaptive_neon.collapse.models.gaussian import Normal
from adaptive_neon.merging.extrapolation import merge

# What is merged, for a variance v: the coordinate of v, and v of a coordinate.
COORDINATES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "variance": (lambda v: v, lambda c: c),
    "deviation": (np.sqrt, np.square),
    "log": (np.log, np.exp),
    "precision": (np.reciprocal, np.reciprocal),
}


def extrapolate(base: Normal, tuned: Normal, w: float, coordinates: str = "variance") -> Normal:
    """θ_r − w(θ_s − θ_r) of mean and variance, of one dimension unless the covariance itself is merged."""
    to, back = COORDINATES[coordinates]
    models = [{"mean": model.mean, "covariance": to(model.covariance)} for model in (base, tuned)]
    merged = merge(*models, {"all": w}, {"mean": "all", "covariance": "all"})
    return Normal(merged["mean"], back(merged["covariance"]))


def self_trained(
    model: Model, base: Normal, n: int, rng: np.random.Generator, sets: int = 1, fraction: float = 1.0
) -> Normal:
    """θ_s: fitted to n of θ_r's samples, the mean over several such sets, at a fraction of the way from θ_r."""
    fits = [model.fit(model.sample(model.sharpened(base), n, rng)) for _ in range(sets)]
    means = Normal(*(sum(parts) / sets for parts in zip(*fits, strict=True)))
    return Normal(*(b + fraction * (m - b) for b, m in zip(base, means, strict=True)))


def correction(model: Model, n: int, w: float, sets: int = 1, coordinates: str = "variance") -> Correction:
    """Neon as a loop's correction of every generation.

    A variance that the extrapolation makes negative is no model: it becomes 0, a point.
    """

    def correct(parameters: Normal, rng: np.random.Generator) -> Normal:
        tuned = self_trained(model, parameters, n, rng, sets)
        corrected = extrapolate(parameters, tuned, w, coordinates)
        return Normal(corrected.mean, corrected.covariance.clip(min=0))

    return correct
