"""A Gaussian of variance 1 trained on real and on synthetic samples: what it keeps, what real data are worth."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincc


class Expected(NamedTuple):
    """E[m²] of the mean's error, and E[v]."""

    square: float
    variance: float


def mixed(
    real: int,
    synthetic: int,
    fresh: bool = False,
    bias: float = 1.0,
    unbiased: bool = False,
    ridge: float = 0.0,
    start: int | None = None,
) -> Iterator[Expected]:
    """Expectations in generation 1, 2, … of a fit to pooled real and synthetic samples.

    With N samples, shares a real and b synthetic, and D = E(x̄_r − μ)² for the mean x̄_r of the real ones:
    E[scatter] = real − 1 + (synthetic − 1)λv + N·a·b·(D + λv/synthetic); D ← b²(D + λv/synthetic) if the real
    samples are always the same, and D = 1/real + E[m²] if they are fresh.

    Args:
        start: how many real samples the first generation is fitted to; by default as `regimes.Mixed` has it.
    """
    total = real + synthetic
    a, b = real / total, synthetic / total
    first = start or (real if fresh else total)
    square = 1 / first
    variance = (first - 1) / (first - unbiased) + ridge
    # The first fit sees the kept real samples among others: D, and the covariance of x̄_r with μ − x̄_r.
    apart = 1 / real - 1 / first if real else 0.0
    common = -apart
    while True:
        yield Expected(square, variance)
        noise = bias * variance / synthetic if synthetic else 0.0
        distance = 1 / real + square if fresh and real else apart
        between = total * a * b * (distance + noise)
        scatter = max(real - 1, 0) + max(synthetic - 1, 0) * bias * variance + between
        variance = scatter / (total - unbiased) + ridge
        if fresh or not real:
            square = (a**2 / real if real else 0.0) + b**2 * (square + noise)
        else:
            apart, common = b**2 * (apart + noise), b * common
            square = 1 / real + 2 * common + apart


def limit(real: int, synthetic: int, **settings) -> Expected:
    """What `mixed` converges to, to within rounding."""
    steps = int(40 * (real + synthetic) / real)
    return next(islice(mixed(real, synthetic, **settings), steps, None))


def weighted_mean_error(weight: float, real: int, synthetic: int) -> float:
    """E[m²] in the long run, fresh real data of weight w, known variance: (w²/n_r + (1 − w)²/n_s)/(2w − w²).

    From m ← w x̄_r + (1 − w)(m + noise). For n_r = n_s its minimum is at the reciprocal of the golden ratio
    (arXiv 2502.18049), where n·E[m²] is that number too.
    """
    return (weight**2 / real + (1 - weight) ** 2 / synthetic) / (2 * weight - weight**2)


GOLDEN = (np.sqrt(5) - 1) / 2


def contraction(synthetic_per_real: float) -> float:
    """By which the error of the start shrinks in a generation: λ/(1 + λ), for λ synthetic samples a real one."""
    return synthetic_per_real / (1 + synthetic_per_real)


def share_below(half: float, real: float) -> float:
    """P(v < half) in the long run with fresh real samples that are few among many synthetic ones.

    For n_r ≪ N the steps are small, and v diffuses: dv = a(1 − v)dt + √(2/N)·v dW, a = n_r/N. Its stationary law
    is inverse gamma with shape 1 + n_r and scale n_r, whatever N is.
    """
    return float(gammaincc(1 + real, real / half))


def smallest_fresh(half: float, double: float, probability: float) -> float:
    """n_r at which v is between half and double with this probability in the long run, whatever N ≫ n_r is."""
    return brentq(lambda real: share_below(double, real) - share_below(half, real) - probability, 0.5, 1e3)
