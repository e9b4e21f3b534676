"""Linear regression: each generation is fitted to the last one's predictions plus noise."""

from dataclasses import dataclass

import numpy as np

from adaptive_neon.collapse.models.gaussian import factor, wishart


@dataclass(frozen=True)
class Labelled:
    """XᵀX [S, d, d] and Xᵀy [S, d] of labelled inputs: all that least squares needs of them."""

    gram: np.ndarray
    products: np.ndarray

    def __add__(self, other: "Labelled") -> "Labelled":
        return Labelled(self.gram + other.gram, self.products + other.products)

    def weighted(self, factor: float) -> "Labelled":
        """Every sample counts so many times."""
        return Labelled(factor * self.gram, factor * self.products)


@dataclass(frozen=True)
class Regression:
    """Parameters are coefficients [S, d]; inputs are N(0, I).

    Args:
        noise: σ of the labels.
        inputs: XᵀX [S, d, d] of the inputs that every generation labels anew; None draws new inputs each time.
    """

    noise: float
    inputs: np.ndarray | None = None

    def fit(self, data: Labelled) -> np.ndarray:
        return np.linalg.solve(data.gram, data.products[:, :, None])[:, :, 0]

    def sample(self, parameters: np.ndarray, n: int, rng: np.random.Generator) -> Labelled:
        gram = gram_of_inputs(*parameters.shape, n, rng) if self.inputs is None else self.inputs
        noise = self.noise * rng.standard_normal((*parameters.shape, 1))
        return Labelled(gram, (gram @ parameters[:, :, None] + factor(gram) @ noise)[:, :, 0])

    def sharpened(self, parameters: np.ndarray) -> np.ndarray:
        return parameters


def gram_of_inputs(seeds: int, dimensions: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """XᵀX [S, d, d] of n inputs from N(0, I)."""
    return wishart(np.broadcast_to(np.eye(dimensions), (seeds, dimensions, dimensions)), n, rng)
