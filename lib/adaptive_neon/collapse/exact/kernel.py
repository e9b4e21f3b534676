"""A kernel density estimate of N(0, 1): its kernels add what sampling takes away, or more."""

from adaptive_neon.collapse.models.kernel import silverman


def replaced(n: int, t: int, bandwidth: float) -> float:
    """E[variance (1/n) of the training points]: v ← (1 − 1/n)(v + h²), which tends to (n − 1)h²."""
    variance = 1 - 1 / n
    for _ in range(t - 1):
        variance = (1 - 1 / n) * (variance + bandwidth**2)
    return variance


def replaced_limit(n: int, bandwidth: float) -> float:
    """(n − 1)h²."""
    return (n - 1) * bandwidth**2


def replaced_silverman(n: int, t: int) -> float:
    """h² = c·v with c = (4/(3n))^(2/5): v ← (1 − 1/n)(1 + c)·v, which grows without end."""
    return (1 - 1 / n) * ((1 - 1 / n) * (1 + silverman(n) ** 2)) ** (t - 1)


def accumulated(t: int, bandwidth: float) -> float:
    """E[second moment] of the pool of t batches about the true mean: 1 + h²(H_t − 1), H_t = Σ 1/i: no bound."""
    return 1 + bandwidth**2 * sum(1 / i for i in range(2, t + 1))


def accumulated_silverman(n: int, t: int) -> float:
    """The same with h² = c_N·v, N = nt: it converges, as Σ c_N/t does.

    A new batch has the pool's mean M but for noise, and the second moment Q + c·v with v = Q − M².
    """
    second, square = 1.0, 1 / n
    for batches in range(1, t):
        size = n * batches
        c, variance, share = silverman(size) ** 2, second - square, n / (size + n)
        second += share * c * variance
        square += share**2 * (1 + c) * variance / n
    return second
