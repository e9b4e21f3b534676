"""Flow matching cell by cell: the loss of all cells and the sampler. Data is at t = 0, noise at t = 1."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from adaptive_neon.families.sampling import away_from
from adaptive_neon.families.xar.network import XAR

LAST = 0.04  # the time of the last evaluation, whose step to 0 adds no noise


def matching_loss(velocity: Callable[[Tensor, Tensor], Tensor], cells: Tensor) -> Tensor:
    """‖v(x_t, t) − (n − x)‖² at x_t = (1 − t)·x + t·n, each cell at its own time (Ren et al. 2025, eq. 5 to 7).

    The context of a cell is noisy, too: the network sees the cells before it at their times. t is the logistic
    function of a standard normal number.

    Args:
        velocity: v(x, t) for x [N, n, T, P] and t [N, n].
        cells: x, [N, n, T, P].

    Returns:
        The mean over each image, [N]. Random numbers come from torch's global stream.
    """
    t = torch.randn(cells.shape[:2], device=cells.device).sigmoid()
    noise = torch.randn_like(cells)
    weight = t[:, :, None, None]
    return ((velocity((1 - weight) * cells + weight * noise, t) - (noise - cells)) ** 2).flatten(1).mean(1)


def draw_cells(
    network: XAR, noise: Tensor, classes: Tensor, guidance: float, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Draw one cell after the other, each given those before it.

    The scale of the guidance of cell k of n is 1 + (guidance − 1)·k/(n − 1): the first cell has none.

    Args:
        noise: standard normal [N, n, steps, T, P], see `euler_maruyama`.
        classes: int64 [N].
        dtype: the type that the network runs in, under autocast if it is not float32.

    Returns:
        [N, n, T, P] in float64.
    """
    count, cells = noise.shape[:2]
    both = torch.cat([classes, torch.full_like(classes, network.label_dim)]) if guidance != 1 else classes
    cache = network.new_cache(len(both), dtype)

    def evaluate(x: Tensor, t: float, k: int, labels: Tensor) -> Tensor:
        """The velocity of cell k for each label, given the cells in the cache, which keeps what x leaves there."""
        x = x.to(torch.float32).repeat(len(labels) // count, 1, 1)[:, None]
        return network(x, x.new_full((1, 1), t), labels, first=k, cache=cache)[:, 0].to(torch.float64)

    def velocity(x: Tensor, t: float, k: int) -> Tensor:
        scale = 1 + (guidance - 1) * k / (cells - 1)
        if scale == 1:
            return evaluate(x, t, k, classes)
        conditional, unconditional = evaluate(x, t, k, both).chunk(2)
        return away_from(unconditional, conditional, scale)

    drawn = []
    for k in range(cells):
        drawn.append(euler_maruyama(partial(velocity, k=k), noise[:, k]))
        if k < cells - 1:
            evaluate(drawn[-1], 0, k, both)  # what later cells see is clean
    return torch.stack(drawn, 1)


def euler_maruyama(velocity: Callable[[Tensor, float], Tensor], noise: Tensor) -> Tensor:
    """Solve the reverse SDE dx = (v − t·s) dt + √(2t) dw by Euler–Maruyama, one evaluation a step.

    v is the velocity and s = −((1 − t)·v + x)/t the score, so that the drift is (2 − t)·v + x: guidance of v is
    guidance of the drift.

    Args:
        velocity: v(x, t) for x [N, …] and a time.
        noise: standard normal [N, steps, …]: the state at t = 1, and what each step but the last adds.

    Returns:
        Samples in float64, [N, …]. The state is float64 throughout.
    """
    noise = noise.to(torch.float64)
    x = noise[:, 0]
    for i, (t, t_next) in enumerate(pairwise(times(noise.shape[1])), 1):
        x = x + (t_next - t) * ((2 - t) * velocity(x, t) + x)
        if t_next:
            x = x + (2 * t * (t - t_next)) ** 0.5 * noise[:, i]
    return x


def times(steps: int) -> list[float]:
    """1 = t_0 > … > t_(steps − 1) = 0.04, evenly spaced, and 0."""
    return [*np.linspace(1, LAST, steps).tolist(), 0.0]
