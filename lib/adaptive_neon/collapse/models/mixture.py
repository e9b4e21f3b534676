"""A Gaussian mixture in one dimension, fitted by scikit-learn as anyone would: cold, seed by seed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adaptive_neon.collapse.models.data import Points


class Components(NamedTuple):
    """Weights, means and variances of the components, each [S, K], in the order of the means."""

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray


@dataclass(frozen=True)
class Mixture:
    """K components by expectation maximisation (scikit-learn's `GaussianMixture`).

    Args:
        seed: of the initialisations by k-means.
    """

    components: int
    seed: int = 0

    def fit(self, data: Points) -> Components:
        from sklearn.mixture import GaussianMixture

        rows = []
        for i, points in enumerate(data.values):
            fitted = GaussianMixture(self.components, random_state=self.seed + i).fit(points)
            order = fitted.means_[:, 0].argsort()
            rows.append((fitted.weights_[order], fitted.means_[order, 0], fitted.covariances_[order, 0, 0]))
        return Components(*map(np.array, zip(*rows, strict=True)))

    def sample(self, parameters: Components, n: int, rng: np.random.Generator) -> Points:
        return draw_labelled(parameters, n, rng)[0]

    def sharpened(self, parameters: Components) -> Components:
        return parameters


def draw_labelled(parameters: Components, n: int, rng: np.random.Generator) -> tuple[Points, np.ndarray]:
    """n samples a seed, and the component [S, n] that each is of."""
    edges = parameters.weights.cumsum(axis=1)[:, None, :-1]
    labels = (rng.random((len(parameters.weights), n, 1)) >= edges).sum(axis=2)
    means, variances = (np.take_along_axis(values, labels, axis=1) for values in parameters[1:])
    return Points((means + np.sqrt(variances) * rng.standard_normal(labels.shape))[:, :, None]), labels
