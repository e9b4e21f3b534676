"""Classes that are drawn again and again: the Wright–Fisher model of population genetics."""

import numpy as np


def replaced_diversity(n: int, t: int) -> float:
    """E[1 − Σp²] after t samples of n, as a share of what it was: (1 − 1/n)^t."""
    return (1 - 1 / n) ** t


def accumulated_diversity(n: int, t: int) -> float:
    """The same of the pool of t samples: Π_{s ≤ t} (1 − 1/(n s²)), as for a Gaussian's variance."""
    return float(np.prod(1 - 1 / (n * np.arange(1, t + 1.0) ** 2)))


def survival(n: int, count: int, k: int) -> float:
    """P(a class with `count` of n samples has some left after k samples more): the Markov chain of its count."""
    from scipy.stats import binom  # takes longer to import than a job to run

    counts = np.arange(n + 1)
    step = binom.pmf(counts[None, :], n, counts[:, None] / n)
    return float(1 - np.linalg.matrix_power(step, k)[count, 0])


def survival_bound(count: float, k: int) -> float:
    """1 − exp(−λ/k), below the survival of a class with λ samples (Suresh et al., arXiv 2412.17646)."""
    return 1 - np.exp(-count / k)


def survival_of_branches(count: float, k: int) -> float:
    """1 − exp(−2λ/k): each sample begins a critical branching process, alive with probability 2/k."""
    return 1 - np.exp(-2 * count / k)
