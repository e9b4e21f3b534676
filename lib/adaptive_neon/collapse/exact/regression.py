"""Linear regression on labels of the last generation, and on a little synthetic data. Inputs are N(0, I_d)."""

import numpy as np


def inverse_squares(t: int) -> float:
    """Σ_{i ≤ t} 1/i², at most π²/6."""
    return float((1 / np.arange(1, t + 1.0) ** 2).sum())


def first_error(inputs: int, dimensions: int, noise: float) -> float:
    """E‖ŵ − w‖² of least squares on real labels: σ²d/(T − d − 1), the mean of tr (XᵀX)⁻¹ for T inputs."""
    return noise**2 * dimensions / (inputs - dimensions - 1)


def replaced(inputs: int, dimensions: int, noise: float, t: int) -> float:
    """Each generation adds an independent error of the same size: t times that of the first."""
    return t * first_error(inputs, dimensions, noise)


def accumulated(inputs: int, dimensions: int, noise: float, t: int) -> float:
    """The same inputs labelled t times: ŵ_t = ŵ_{t−1} + (new error)/t, so the errors add up as Σ 1/i²."""
    return inverse_squares(t) * first_error(inputs, dimensions, noise)


def synthetic_floor(real: int, synthetic: int, dimensions: int, distance: float) -> float:
    """E‖(W₁ + W₂)⁻¹W₂δ‖²: the squared bias of least squares on real and synthetic samples whose w differ by δ.

    W₁, W₂ are Wishart matrices of `real` and `synthetic` degrees of freedom, S = W₁ + W₂ and B = S^−½W₂S^−½
    independent (a matrix beta law, invariant under rotations), so E[B_jk B_li] = α δ_jk δ_li + β (δ_jl δ_ki +
    δ_ji δ_kl). E tr W₂² and E (tr W₂)² give α and β; then E tr(S B S⁻¹ B)·‖δ‖²/d is the bias. For d ≪ n it is
    p₂²‖δ‖².

    Args:
        distance: ‖δ‖.
    """
    d, total = dimensions, real + synthetic
    square, trace = d * total * (total + d + 1), d * total * (d * total + 2)  # E tr S², E (tr S)²
    known = [d * synthetic * (synthetic + d + 1), d * synthetic * (d * synthetic + 2)]
    # In one dimension the two equations are the same, and α + 2β is all that counts.
    alpha, beta = np.linalg.lstsq([[square, square + trace], [trace, 2 * square]], known, rcond=None)[0]
    traces = d * (d * total - 2) / (total - d - 1)  # E tr S · tr S⁻¹
    return float(distance**2 / d * ((alpha + beta) * d + beta * traces))
