"""EDM's diffusion (Karras et al. 2022, arXiv 2206.00364) as pure functions of a denoiser D(x, σ)."""

from collections.abc import Callable
from itertools import pairwise

import torch

Denoiser = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def noise_levels(steps: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> torch.Tensor:
    """The time steps σ_0 > … > σ_{N−1} > σ_N = 0 of eq. 5, float64 [steps + 1]."""
    ramp = torch.arange(steps, dtype=torch.float64) / (steps - 1)
    sigmas = (sigma_max ** (1 / rho) + ramp * (sigma_min ** (1 / rho) - sigma_max ** (1 / rho))) ** rho
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def heun(denoise: Denoiser, noise: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """The deterministic sampler, Algorithm 1 with σ(t) = t and s(t) = 1: Heun's second-order steps.

    Args:
        denoise: D(x, σ) for x [N, …] and scalar σ.
        noise: standard normal [N, …].
        sigmas: [steps + 1] from `noise_levels`; 2·steps − 1 evaluations of the denoiser.

    Returns:
        Samples in float64, the shape of `noise`. The state is float64 throughout, as in the paper's code.
    """
    x = noise.to(torch.float64) * sigmas[0]
    for sigma, sigma_next in pairwise(sigmas):
        slope = (x - denoise(x, sigma).to(torch.float64)) / sigma
        euler = x + (sigma_next - sigma) * slope
        if sigma_next > 0:
            slope_next = (euler - denoise(euler, sigma_next).to(torch.float64)) / sigma_next
            x = x + (sigma_next - sigma) * (slope + slope_next) / 2
        else:
            x = euler
    return x


def edm_loss(
    denoise: Denoiser,
    images: torch.Tensor,
    sigma_data: float = 0.5,
    p_mean: float = -1.2,
    p_std: float = 1.2,
    augment: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]] | None = None,
) -> torch.Tensor:
    """The denoising loss of each image (Table 1, "Training"): λ(σ)·‖D(y + n; σ) − y‖², ln σ ~ N(P_mean, P_std²).

    Args:
        denoise: D(x, σ) for x [N, C, H, W] and σ [N, 1, 1, 1].
        images: y in [−1, 1], float32 [N, C, H, W].
        augment: changes the images first; its labels go to the denoiser as `augment_labels`.

    Returns:
        [N, C, H, W], not yet summed. Random numbers come from torch's global stream.
    """
    sigma = (torch.randn([len(images), 1, 1, 1], device=images.device) * p_std + p_mean).exp()
    weight = (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2
    labels = {}
    if augment:
        images, labels["augment_labels"] = augment(images)
    noisy = images + sigma * torch.randn_like(images)
    return weight * (denoise(noisy, sigma, **labels) - images) ** 2
