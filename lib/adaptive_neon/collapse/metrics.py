"""The metrics of a loop, each defined once: over the seeds of one generation, or between two distributions.

A mean over the seeds comes with its standard error; quantiles tell what a mean hides when its distribution has a
heavy tail.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from adaptive_neon.collapse.models.gaussian import Normal


class Mean(NamedTuple):
    """A mean over seeds, and its standard error."""

    value: float
    error: float


def mean(values: np.ndarray) -> Mean:
    """Over S ≥ 2 seeds."""
    return Mean(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def share(holds: np.ndarray) -> Mean:
    """Of the seeds in which something holds; one success and one failure more keep the error above 0."""
    n = len(holds)
    smoothed = (np.sum(holds) + 1) / (n + 2)
    return Mean(float(np.mean(holds)), float(np.sqrt(smoothed * (1 - smoothed) / n)))


def variance_over_seeds(values: np.ndarray) -> Mean:
    """The variance over seeds, with the standard error that the fourth moment gives it."""
    squares = (values - values.mean()) ** 2 * len(values) / (len(values) - 1)
    return mean(squares)


def band(values: np.ndarray, level: float = 0.9) -> list[float]:
    """Median over the seeds [S, …], and the interval that holds this share of them."""
    return np.quantile(values, [0.5, (1 - level) / 2, (1 + level) / 2], axis=0).tolist()


def wasserstein(a: Normal, b: Normal) -> np.ndarray:
    """W₂² between Gaussians [S]: |μ_a − μ_b|² + tr(A + B − 2(A^½BA^½)^½), the Fréchet distance."""
    step = ((a.mean - b.mean) ** 2).sum(axis=1)
    if a.mean.shape[1] == 1:
        return step + (np.sqrt(a.variance) - np.sqrt(b.variance)) ** 2
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(min=0))[:, None, :]) @ vectors.transpose(0, 2, 1)
    cross = np.linalg.eigvalsh(root @ b.covariance @ root).clip(min=0)
    return step + np.trace(a.covariance + b.covariance, axis1=1, axis2=2) - 2 * np.sqrt(cross).sum(axis=1)


def wasserstein_of_samples(x: np.ndarray, y: np.ndarray) -> float:
    """W₁ between two samples of one dimension and equal size: the mean distance of their sorted values."""
    return float(np.abs(np.sort(x) - np.sort(y)).mean())


def covariance_norms(covariance: np.ndarray) -> dict[str, np.ndarray]:
    """Trace, log determinant and Frobenius norm [S] of covariances [S, d, d]."""
    return {
        "trace": np.trace(covariance, axis1=1, axis2=2),
        "log determinant": np.linalg.slogdet(covariance)[1],
        "Frobenius norm": np.linalg.norm(covariance, axis=(1, 2)),
    }


def class_coverage(shares: np.ndarray) -> np.ndarray:
    """The part [S] of the classes, shares [S, K], that still have some probability."""
    return (shares > 0).mean(axis=1)


def mode_coverage(points: np.ndarray, modes: np.ndarray, deviation: float) -> np.ndarray:
    """The part [S] of the modes [K] with a point [S, n] within three standard deviations."""
    near = np.abs(points[:, :, None] - modes) < 3 * deviation
    return near.any(axis=1).mean(axis=1)


def diversity(shares: np.ndarray) -> np.ndarray:
    """1 − Σp² [S]: the probability that two samples are of different classes."""
    return 1 - (shares**2).sum(axis=1)


def within_and_between(points: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Intra-class and inter-class variance of points [n] with labels [n]; they add up to the variance (1/n)."""
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.bincount(index, points) / sizes
    within = ((points - means[index]) ** 2).mean()
    between = (sizes * (means - points.mean()) ** 2).sum() / len(points)
    return float(within), float(between)


def shift_is_detected(real: np.ndarray, generated: np.ndarray, level: float = 0.05) -> bool:
    """Whether a two-sample test (Kolmogorov–Smirnov) tells two samples [n] apart at this level."""
    from scipy.stats import ks_2samp  # takes longer to import than a job to run

    return bool(ks_2samp(real, generated).pvalue < level)


def held_out_loss(model: Normal, truth: Normal) -> np.ndarray:
    """E[−log density of the model] on the truth [S], nats, one dimension: what a held-out set estimates."""
    square = truth.variance + (truth.mean - model.mean)[:, 0] ** 2
    return 0.5 * (np.log(2 * np.pi * model.variance) + square / model.variance)


class Decomposition(NamedTuple):
    """Mean squared error of an estimate over seeds, as the squared bias and the variance that it is the sum of."""

    error: float
    bias_squared: float
    variance: float


def bias_and_variance(estimates: np.ndarray, truth: float) -> Decomposition:
    """Of estimates [S]."""
    bias, variance = estimates.mean() - truth, estimates.var()
    return Decomposition(float(((estimates - truth) ** 2).mean()), float(bias**2), float(variance))


def stability(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The recursive stability of a loop: (θ_t − θ′_t)/(θ_1 − θ′_1) [T, S], what a disturbance leaves.

    Args:
        one: an estimate [T, S] over generations.
        other: the same with the same random numbers after another first generation.
    """
    return (one - other) / (one[0] - other[0])


def excess_error(mixed: np.ndarray, real: np.ndarray) -> Mean:
    """ζ (Dohmatob et al., arXiv 2410.04840): the error [S] beyond that of as much real data."""
    return Mean(float(mixed.mean() - real.mean()), float(np.hypot(mean(mixed).error, mean(real).error)))


def interval_of_share(holds: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval for a share, from how many of so many hold."""
    z = ndtri((1 + level) / 2)
    center = (holds + z**2 / 2) / (of + z**2)
    half = z / (of + z**2) * np.sqrt(holds * (of - holds) / of + z**2 / 4)
    return float(center - half), float(center + half)
