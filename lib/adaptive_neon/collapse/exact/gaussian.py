"""A Gaussian of variance 1 trained on its own samples alone, on all samples so far, or on a part of them."""

from collections.abc import Iterator

import numpy as np
from scipy.special import gammaln, polygamma, psi


def mean_variance(n: int, t: int, unbiased: bool = False, bias: float = 1.0, ridge: float = 0.0) -> float:
    """E[v_t] of replaced data: v ← λ(1 − 1/n)·v + ridge, an unbiased fit without the 1/n; real data are honest."""
    kept = 1.0 if unbiased else 1 - 1 / n
    variance = kept + ridge
    for _ in range(t - 1):
        variance = bias * kept * variance + ridge
    return variance


def c4(n: int) -> float:
    """E[s]/σ of the unbiased standard deviation of n samples: about 1 − 1/(4(n − 1))."""
    return np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))


def log_drift(n: int, unbiased: bool = False, dimensions: int = 1) -> float:
    """The change of E[log det Σ] in one generation: Σ_i [ψ((n−1−i)/2) − log((n−1)/2)], and d·log(1 − 1/n) if
    biased.

    The determinant of a Wishart matrix is a product of independent χ² of n − 1 − i degrees of freedom (Bartlett).
    """
    drift = psi((n - 1 - np.arange(dimensions)) / 2).sum() - dimensions * np.log((n - 1) / 2)
    return drift if unbiased else drift + dimensions * np.log1p(-1 / n)


def log_spread(n: int) -> float:
    """The growth of Var[log v] in one generation: ψ′((n − 1)/2), about 2/n."""
    return float(polygamma(1, (n - 1) / 2))


def wasserstein(n: int, t: int) -> float:
    """E[W₂²] to the truth, unbiased fit: t/n of the mean, and E(s − 1)² = 2 − 2 c₄^t of the standard deviation."""
    return t / n + 2 - 2 * c4(n) ** t


def survival_bound(n: int, t: int, deviation: float) -> float:
    """Pr(s_t > ε) ≤ exp(−t/(4n))/ε (Suresh et al., arXiv 2412.17646)."""
    return np.exp(-t / (4 * n)) / deviation


def accumulated(n: int, t: int) -> float:
    """E[v_t] of accumulated data, biased fit: Π_{s ≤ t} (1 − 1/(n s²)).

    The pooled mean of t batches moves by 1/t of what the new one deviates: E m_t² grows by E[v_{t−1}]/(n t²),
    and what the mean gains the variance loses.
    """
    return float(np.prod(1 - 1 / (n * np.arange(1, t + 1.0) ** 2)))


def accumulated_limit(n: int) -> float:
    """Euler's product: sin(π/√n)/(π/√n)."""
    return float(np.sinc(1 / np.sqrt(n)))


def subsampled(n: int) -> Iterator[float]:
    """E[v_t] for t = 1, 2, …: all data accumulate, n of them are fitted (biased).

    With q = E[M²] for the pool's mean M, the pool's variance is 1 − q. n of N points without replacement have
    E[v] = (1 − q)·N(n − 1)/((N − 1)n) and a mean square of q + (1 − q)(N − n)/((N − 1)n); the next n are drawn
    around it. The sum of the two second moments stays 1. E[M m] = q, as a subsample has the pool's mean.
    """
    pool, size = 1 / n, n
    while True:
        variance = (1 - pool) * size * (n - 1) / ((size - 1) * n)
        yield variance
        drawn = (1 - variance) + variance / n
        pool = (size**2 * pool + 2 * size * n * pool + n**2 * drawn) / (size + n) ** 2
        size += n
