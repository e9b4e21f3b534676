"""Data of all seeds: as points, or as the moments that a Gaussian fit needs of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Size, mean [S, d] and scatter Σ(x − x̄)(x − x̄)ᵀ [S, d, d] of a sample."""

    n: float
    mean: np.ndarray
    scatter: np.ndarray

    def __add__(self, other: "Moments") -> "Moments":
        """Pooled (Chan, Golub and LeVeque 1983)."""
        n = self.n + other.n
        step = other.mean - self.mean
        between = (self.n * other.n / n) * step[:, :, None] * step[:, None, :]
        return Moments(n, self.mean + (other.n / n) * step, self.scatter + other.scatter + between)

    def weighted(self, factor: float) -> "Moments":
        """Every sample counts so many times."""
        return Moments(factor * self.n, self.mean, factor * self.scatter)


@dataclass(frozen=True)
class Points:
    """The samples themselves, [S, n, d]."""

    values: np.ndarray

    def __add__(self, other: "Points") -> "Points":
        return Points(np.concatenate([self.values, other.values], axis=1))

    def choose(self, n: int, rng: np.random.Generator) -> "Points":
        """n of the samples of each seed, without replacement (Floyd's algorithm)."""
        seeds, size, _ = self.values.shape
        chosen = np.full((seeds, n), -1)
        for i, last in enumerate(range(size - n, size)):
            candidate = rng.integers(0, last + 1, seeds)
            taken = (chosen[:, :i] == candidate[:, None]).any(axis=1)
            chosen[:, i] = np.where(taken, last, candidate)
        return Points(np.take_along_axis(self.values, chosen[:, :, None], axis=1))

    @property
    def moments(self) -> Moments:
        mean = self.values.mean(axis=1)
        centred = self.values - mean[:, None]
        return Moments(self.values.shape[1], mean, centred.transpose(0, 2, 1) @ centred)
