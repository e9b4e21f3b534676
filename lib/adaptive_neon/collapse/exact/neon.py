"""Neon on the variance of a Gaussian, exactly: v_N = v_r − w(v_s − v_r), all fits biased (maximum likelihood).

θ_r is fitted to n_r real samples, v_r ~ χ²_{n_r−1}/n_r for a true variance of 1; θ_s to n_s samples that a
sampler of bias λ draws from θ_r, so v_s = v_r·u with u ~ λχ²_{n_s−1}/n_s. With w = 1 Neon is the parametric
bootstrap's correction of bias.
"""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaln, psi


def weight(real: int, synthetic: int, bias: float = 1.0, fraction: float = 1.0) -> float:
    """w*, at which E[v_N] = 1: (1/(1 − 1/n_r) − 1)/(1 − λ(1 − 1/n_s))/f, for an honest sampler n_s/(n_r − 1)/f.

    Args:
        fraction: f of the way from θ_r to the full refit, where self-training stops.
    """
    return (1 / (1 - 1 / real) - 1) / (1 - bias * (1 - 1 / synthetic)) / fraction


def mean(w: float, real: int, synthetic: int, bias: float = 1.0, fraction: float = 1.0) -> float:
    """E[v_N] = (1 − 1/n_r)(1 + wf(1 − λ(1 − 1/n_s)))."""
    return (1 - 1 / real) * (1 + w * fraction * (1 - bias * (1 - 1 / synthetic)))


def mean_squared_error(w: float, real: int, synthetic: int, sets: int = 1, bias: float = 1.0) -> float:
    """E(v_N − 1)², θ_s the mean over several synthetic sets: their number divides the noise of the direction."""
    second = (real - 1) * (real + 1) / real**2  # E v_r²
    noise = bias**2 * 2 * (synthetic - 1) / synthetic**2 / sets  # Var u
    step = 1 + w * (1 - bias * (1 - 1 / synthetic))
    return second * (step**2 + w**2 * noise) - 2 * mean(w, real, synthetic, bias) + 1


def direction_variance(synthetic: int, sets: int) -> float:
    """Var[v_s − v_r | v_r]/v_r²: 2(n_s − 1)/(n_s²·S)."""
    return 2 * (synthetic - 1) / (synthetic**2 * sets)


def held_out_loss(w: float, n: int) -> float:
    """E[−log density on the truth], nats, n_r = n_s = n, in the limit of many synthetic sets.

    There v_N = c·v_r with c = 1 + w/n, and E[1/v_r] = n/(n − 3); the best c is (n + 1)/(n − 3), at w = 4n/(n − 3).
    """
    scale = 1 + w / n
    log = np.log(2 * np.pi * scale) + psi((n - 1) / 2) - np.log(n / 2)
    return float(0.5 * (log + (1 + 1 / n) * n / (n - 3) / scale))


def mean_of_logs(w: float, real: int, synthetic: int) -> float:
    """E[v_N] if log v is what is merged: v_N = v_r·u^−w, (1 − 1/n_r)·(n_s/2)^w·Γ((n_s−1)/2 − w)/Γ((n_s−1)/2)."""
    half = (synthetic - 1) / 2
    return (1 - 1 / real) * np.exp(w * np.log(synthetic / 2) + gammaln(half - w) - gammaln(half))


def weight_of_logs(real: int, synthetic: int) -> float:
    """w* if log v is merged."""
    return brentq(lambda w: mean_of_logs(w, real, synthetic) - 1, 0, (synthetic - 1) / 2 - 0.5)


def log_refit(n: int) -> float:
    """E[log u] of one refit, biased: ψ((n − 1)/2) − log(n/2), about −2/n."""
    return float(psi((n - 1) / 2) - np.log(n / 2))


def log_step(w: float, n: int, coordinates: str = "variance") -> float:
    """E[log v_N − log v_r]: what Neon adds to log v. About (w − w²)/n if v is merged, 2w/n if log v is.

    Exact: E log(1 + w − wu), u ~ χ²_{n−1}/n, given that v_N > 0 (else the model has no variance, and w/n is no
    longer small); −w·E[log u].
    """
    from scipy.stats import chi2  # takes longer to import than a job to run

    if coordinates == "log":
        return -w * log_refit(n)
    law = chi2(n - 1)
    highest = min(law.isf(1e-14), n * (1 + w) / w * (1 - 1e-12) if w > 0 else np.inf)
    points = law.ppf([1e-6, 0.5, 1 - 1e-6]).clip(max=highest)
    return quad(
        lambda x: law.pdf(x) * np.log(1 + w - w * x / n), law.ppf(1e-14), highest, points=points, limit=200
    )[0] / law.cdf(highest)


def log_drift_of_loop(w: float, n: int, coordinates: str = "variance") -> float:
    """The change of E[log v] in a generation of a loop that replaces all data and corrects every fit by Neon.

    A refit, −2/n, and Neon's step: −2/n + (w − w²)/n, at best −7/(4n); only if log v is merged is it 0, at w = 1.
    """
    return log_refit(n) + log_step(w, n, coordinates)
