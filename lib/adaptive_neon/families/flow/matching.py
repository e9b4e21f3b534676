"""Flow matching as pure functions of a velocity field v(x, t); noise is at t = 0, data at t = 1."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]


def euler(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Integrate dx/dt = v(x, t) from 0 to 1 by Euler's method, in `steps` evaluations.

    Args:
        velocity: v(x, t) for x [N, …] and scalar t.
        noise: standard normal [N, …], the state at t = 0.

    Returns:
        Samples in float64, the shape of `noise`. The state is float64 throughout.
    """
    x = noise.to(torch.float64)
    for t, t_next in pairwise(times(steps, x.device)):
        x = x + (t_next - t) * velocity(x, t)
    return x


def heun(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """The same by Heun's second-order method, in 2·steps evaluations: v is regular at t = 1, too."""
    x = noise.to(torch.float64)
    for t, t_next in pairwise(times(steps, x.device)):
        slope = velocity(x, t).to(torch.float64)
        slope_next = velocity(x + (t_next - t) * slope, t_next)
        x = x + (t_next - t) * (slope + slope_next) / 2
    return x


def times(steps: int, device: torch.device | None = None) -> Tensor:
    """0 = t_0 < … < t_steps = 1, evenly spaced, float64."""
    return torch.linspace(0, 1, steps + 1, dtype=torch.float64, device=device)


def flow_matching_loss(velocity: Velocity, images: Tensor) -> Tensor:
    """‖v(x_t, t) − (y − n)‖² at x_t = (1 − t)·n + t·y, n standard normal, t uniform (Liu et al. 2022, eq. 1).

    Args:
        velocity: v(x, t) for x [N, C, H, W] and t [N, 1, 1, 1].
        images: y in [−1, 1], float32 [N, C, H, W].

    Returns:
        [N, C, H, W], not yet summed. Random numbers come from torch's global stream.
    """
    t = torch.rand([len(images), 1, 1, 1], device=images.device)
    noise = torch.randn_like(images)
    return (velocity((1 - t) * noise + t * images, t) - (images - noise)) ** 2
