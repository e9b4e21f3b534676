"""A Gaussian in d dimensions. Mean and scatter of a sample are drawn directly, which is exact."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from adaptive_neon.collapse.models.data import Moments, Points


class Normal(NamedTuple):
    """Mean [S, d] and covariance [S, d, d]."""

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """[S], of one dimension."""
        return self.covariance[:, 0, 0]


def standard_normal(seeds: int, dimensions: int = 1) -> Normal:
    """N(0, I) for all seeds."""
    covariance = np.broadcast_to(np.eye(dimensions), (seeds, dimensions, dimensions))
    return Normal(np.zeros((seeds, dimensions)), covariance)


def normal(seeds: int, mean: float, variance: float) -> Normal:
    """N(mean, variance) in one dimension for all seeds."""
    return Normal(np.full((seeds, 1), mean), np.full((seeds, 1, 1), variance))


def factor(covariance: np.ndarray) -> np.ndarray:
    """A root L with LLᵀ = Σ, [S, d, d]; triangular unless a covariance is singular to rounding."""
    if covariance.shape[-1] == 1:
        return np.sqrt(covariance)
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(values.clip(min=0))[:, None, :]


def wishart(root: np.ndarray, freedom: int, rng: np.random.Generator) -> np.ndarray:
    """Scatter [S, d, d] from Wishart(LLᵀ, freedom) for L = root (Bartlett 1933); of low rank if freedom < d."""
    seeds, d, _ = root.shape
    if not freedom:
        return np.zeros_like(root)
    if d == 1:
        return root**2 * rng.chisquare(freedom, seeds)[:, None, None]
    if freedom < d:
        half = rng.standard_normal((seeds, d, freedom))
    else:
        half = np.tril(rng.standard_normal((seeds, d, d)), -1)
        diagonal = np.arange(d)
        half[:, diagonal, diagonal] = np.sqrt(rng.chisquare(freedom - diagonal, (seeds, d)))
    half = root @ half
    return half @ half.transpose(0, 2, 1)


@dataclass(frozen=True)
class Gaussian:
    """Fits mean and covariance.

    Args:
        fit_by: divides the scatter by n (`biased`, maximum likelihood), by n − 1 (`unbiased`), or takes the
            covariance as `known`: the identity.
        bias: λ of the sampler, which draws with covariance λΣ (MAD, arXiv 2307.01850); 1 is honest.
        ridge: added to the variances of a fit, as scikit-learn's `reg_covar`.
        points: draw the points themselves, for regimes that choose among them.
    """

    fit_by: Literal["biased", "unbiased", "known"] = "biased"
    bias: float = 1.0
    ridge: float = 0.0
    points: bool = False

    def fit(self, data: Moments | Points) -> Normal:
        moments = data.moments if isinstance(data, Points) else data
        if self.fit_by == "known":
            return Normal(moments.mean, np.broadcast_to(np.eye(moments.mean.shape[1]), moments.scatter.shape))
        covariance = moments.scatter / (moments.n - (self.fit_by == "unbiased"))
        return Normal(moments.mean, covariance + self.ridge * np.eye(covariance.shape[-1]))

    def sample(self, parameters: Normal, n: int, rng: np.random.Generator) -> Moments | Points:
        root = factor(parameters.covariance)
        if self.points:
            noise = rng.standard_normal((len(root), n, root.shape[1]))
            return Points(parameters.mean[:, None] + noise @ root.transpose(0, 2, 1))
        noise = rng.standard_normal(parameters.mean.shape) / np.sqrt(n)
        mean = parameters.mean + (root @ noise[:, :, None])[:, :, 0]
        return Moments(n, mean, wishart(root, n - 1, rng))

    def sharpened(self, parameters: Normal) -> Normal:
        return Normal(parameters.mean, self.bias * parameters.covariance)
