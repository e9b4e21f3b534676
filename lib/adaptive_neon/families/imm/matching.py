"""Inductive moment matching (Zhou et al. 2025, arXiv 2503.07565) as pure functions of a jump f(x, t, s).

The path is x_t = (1 − t)·y + t·n from data y to noise n ~ N(0, σ_d²), and f(x_t, t, s) is a sample of x_s. All
arithmetic beside the network's is float64.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

Jump = Callable[[Tensor, Tensor, Tensor], Tensor]

RHO = 7  # of the discretization `edm`, Karras et al. 2022 (arXiv 2206.00364), eq. 5
SMALLEST_SQUARE = 1e-8  # of a distance: its root has no derivative at 0


# Time


def noise_to_signal(t: Tensor) -> Tensor:
    """η(t) = t/(1 − t)."""
    return t / (1 - t)


def time_of(eta: Tensor) -> Tensor:
    """The time of a noise-to-signal ratio."""
    return eta / (1 + eta)


def interpolate(y: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 − t)·y + t·n."""
    return (1 - t) * y + t * noise


def time_steps(
    steps: int, highest: float, lowest: float, discretization: str = "uniform", mid_nt: float | None = None
) -> Tensor:
    """The times T = t_0 > … > t_steps = ε of a sampler, float64 [steps + 1].

    Args:
        highest: T.
        lowest: ε.
        discretization: `uniform` in t, or `edm`: uniform in the ρ-th root of η.
        mid_nt: η of the one time in between of two steps, whatever the discretization.
    """
    ends = torch.tensor([highest, lowest], dtype=torch.float64)
    if mid_nt is not None:
        return torch.stack([ends[0], time_of(torch.tensor(mid_nt, dtype=torch.float64)), ends[1]])
    if discretization == "uniform":
        return torch.linspace(highest, lowest, steps + 1, dtype=torch.float64)
    first, last = noise_to_signal(ends) ** (1 / RHO)
    ramp = torch.arange(steps + 1, dtype=torch.float64) / steps
    return time_of((first + ramp * (last - first)) ** RHO)


def pushforward(jump: Jump, noise: Tensor, times: Tensor) -> Tensor:
    """Samples by jumping from each time to the next, the paper's pushforward sampling.

    Args:
        jump: f(x, t, s) for x [N, …] and scalar t and s.
        noise: N(0, σ_d²) [N, …], the state at the first time.
        times: from `time_steps`; one evaluation for each but the first.

    Returns:
        Samples in float64, the shape of `noise`.
    """
    x = noise.to(torch.float64)
    for t, s in pairwise(times):
        x = jump(x, t, s)
    return x


# Training


def draw_times(
    groups: int, highest: float, lowest: float, k: float, min_tr_gap: float, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Times t, r and s of each group, s ≤ r < t: t uniform in [ε, T], s in [ε, t].

    r is t less a constant decrement of η, (η(T) − η(ε))/2^k, but at least by `min_tr_gap` and not beyond s.

    Args:
        highest: T.
        lowest: ε.

    Returns:
        float64 [groups, 1, 1, 1] each. Random numbers come from torch's global stream.
    """
    t = lowest + (highest - lowest) * torch.rand(groups, 1, 1, 1, dtype=torch.float64, device=device)
    s = lowest + (t - lowest) * torch.rand(groups, 1, 1, 1, dtype=torch.float64, device=device)
    first, last = noise_to_signal(torch.tensor([lowest, highest], dtype=torch.float64)).tolist()
    eta = (noise_to_signal(t) - (last - first) / 2**k).clamp(min=first)
    return t, torch.maximum(torch.minimum(time_of(eta), t - min_tr_gap), s), s


def laplace_kernel(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """exp(−w·‖a − b‖/D) of all pairs of particles, D their dimension: the paper's Laplace kernel.

    Args:
        a: [G, M, …].
        b: [G, M, …].
        weight: w of each group, [G].

    Returns:
        [G, M, M].
    """
    a, b = a.flatten(2), b.flatten(2)
    squares = (a[:, :, None] - b[:, None]).square().sum(3).clamp(min=SMALLEST_SQUARE)
    return torch.exp(-weight[:, None, None] * squares.sqrt() / a.shape[2])


def moment_matching_loss(reached: Tensor, target: Tensor, kernel_weight: Tensor, weight: Tensor) -> Tensor:
    """Weighted squared maximum mean discrepancy within each group, a V-statistic.

    Args:
        reached: f(x_t, t, s), [G, M, …].
        target: f(x_r, r, s) without a gradient, the same shape.
        kernel_weight: w̃(s, t) in the kernel, [G].
        weight: w(s, t) of the loss, [G].

    Returns:
        [G].
    """
    pairs = [
        laplace_kernel(a, b, kernel_weight).mean((1, 2))
        for a, b in ((reached, reached), (target, target), (reached, target))
    ]
    return weight * (pairs[0] + pairs[1] - 2 * pairs[2])


def time_weight(t: Tensor, a: float, b: float) -> Tensor:
    """w(s, t) = α^a/(α² + σ²) · ½·(−dλ/dt) · sigmoid(b − λ) with λ = 2·ln(α/σ), α = 1 − t, σ = t."""
    log_snr = 2 * (torch.log1p(-t) - t.log())
    slope = 2 / (t * (1 - t))  # −dλ/dt
    return (1 - t) ** a / ((1 - t) ** 2 + t**2) * slope / 2 * torch.sigmoid(b - log_snr)
