"""A kernel density estimate in one dimension, of fixed or of shrinking bandwidth."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adaptive_neon.collapse.models.data import Points


class Density(NamedTuple):
    """Points [S, N, 1] and bandwidth [S] of Gaussian kernels. One point at 0 with bandwidth 1 is N(0, 1)."""

    points: np.ndarray
    bandwidth: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """[S]"""
        return self.points.mean(axis=(1, 2))

    @property
    def variance(self) -> np.ndarray:
        """[S]: that of the points, and of the kernel."""
        return self.points.var(axis=(1, 2)) + self.bandwidth**2


def single_kernel(seeds: int) -> Density:
    """N(0, 1) for all seeds."""
    return Density(np.zeros((seeds, 1, 1)), np.ones(seeds))


def silverman(n: int) -> float:
    """h/σ̂ = (4/(3n))^(1/5) (Silverman 1986), which shrinks as the data grow."""
    return (4 / (3 * n)) ** 0.2


@dataclass(frozen=True)
class Kernels:
    """The density estimate of the training set.

    Args:
        bandwidth: h; None is Silverman's rule with the standard deviation (1/n) of the training set.
    """

    bandwidth: float | None = None

    def fit(self, data: Points) -> Density:
        seeds, n, _ = data.values.shape
        if self.bandwidth is not None:
            return Density(data.values, np.full(seeds, self.bandwidth))
        return Density(data.values, silverman(n) * data.values.std(axis=(1, 2)))

    def sample(self, parameters: Density, n: int, rng: np.random.Generator) -> Points:
        seeds, size, _ = parameters.points.shape
        chosen = rng.integers(0, size, (seeds, n, 1))
        noise = parameters.bandwidth[:, None, None] * rng.standard_normal((seeds, n, 1))
        return Points(np.take_along_axis(parameters.points, chosen, axis=1) + noise)

    def sharpened(self, parameters: Density) -> Density:
        return parameters
