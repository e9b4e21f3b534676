"""Classes, or well-separated modes, drawn with the shares of the last sample: the Wright–Fisher model."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """How many samples are of each class, [S, K]."""

    values: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.values + other.values)

    def weighted(self, factor: float) -> "Counts":
        """Every sample counts so many times."""
        return Counts(factor * self.values)


@dataclass(frozen=True)
class Categorical:
    """Parameters are the shares of the classes, [S, K].

    Args:
        temperature: τ of the sampler, which draws with shares ∝ p^(1/τ); 1 is honest, less seeks modes.
    """

    temperature: float = 1.0

    def fit(self, data: Counts) -> np.ndarray:
        return data.values / data.values.sum(axis=1, keepdims=True)

    def sample(self, parameters: np.ndarray, n: int, rng: np.random.Generator) -> Counts:
        return Counts(rng.multinomial(n, parameters))

    def sharpened(self, parameters: np.ndarray) -> np.ndarray:
        if self.temperature == 1:
            return parameters
        powers = parameters ** (1 / self.temperature)
        return powers / powers.sum(axis=1, keepdims=True)
