"""The diffusion model on 2-D points: noise prediction, cosine schedule, DDIM sampler with a score scale."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch

from adaptive_neon.toy.network import Model, Stack, initial_layer, linear

WIDTH = 32
TRAINING_STEPS = 1000


@cache
def alpha_bar(steps: int, s: float = 0.008) -> torch.Tensor:
    """ᾱ_0 … ᾱ_{steps−1} of the cosine schedule (Nichol and Dhariwal 2021, eq. 17), float64; ᾱ_0 = 1."""
    time = torch.arange(steps, dtype=torch.float64) / steps
    f = torch.cos((time + s) / (1 + s) * math.pi / 2) ** 2
    return f / f[0]


def ddim(
    predict: Callable[[torch.Tensor, float], torch.Tensor],
    draws: torch.Tensor,
    steps: int,
    eta: float = 0.0,
    zeta: float = 1.0,
) -> torch.Tensor:
    """DDIM (Song et al. 2021, eq. 12 and 16) with a score scale ζ (Neon, appendix), from t = steps − 1 to 0.

    As published, ζ scales the score where x̂_0 is predicted, but not the direction that points back to x_t; and
    the network is told the time t/(steps − 1) where the schedule stands at t/steps, also in training. With 20
    steps after training with 1000 the two differ, which makes most of the base model's distance to the truth.

    Args:
        predict: (x [M, 2, n], time in 0 … 1) → predicted noise ε [M, 2, n].
        draws: standard normal numbers [k, M, 2, n]: x_T, then, with η > 0, the noise of each step but the last.
        steps: entries of the schedule; the network is called steps − 1 times.
        eta: 0 is deterministic, 1 has the variance of ancestral sampling.
        zeta: ζ > 1 is mode-seeking, ζ < 1 diversity-seeking.

    Returns:
        x_0 [M, 2, n].
    """
    schedule = alpha_bar(steps).tolist()
    x = draws[0]
    for i, t in enumerate(range(steps - 1, 0, -1), start=1):
        now, to = schedule[t], schedule[t - 1]
        sigma = eta * math.sqrt((1 - to) / (1 - now) * (1 - now / to))
        epsilon = predict(x, t / (steps - 1))
        # √ᾱ_{t−1} x̂_0 + √(1 − ᾱ_{t−1} − σ²) ε with x̂_0 = (x − ζ √(1 − ᾱ_t) ε) / √ᾱ_t, gathered by x and ε.
        keep = math.sqrt(to / now)
        x = torch.add(keep * x, epsilon, alpha=math.sqrt(1 - to - sigma**2) - keep * zeta * math.sqrt(1 - now))
        if sigma > 0:
            x = x + sigma * draws[i]
    return x


@dataclass(frozen=True)
class Diffusion:
    """The network of Neon's appendix, 3 → 32 → (4 blocks of 32, each ReLU) → 2, and its sampler.

    `eta` is 0 by default because the published studies ran so: their code asks for η = 1, but the variance that
    it computes, 1 − α_t/ᾱ_t in place of 1 − α_t, is never positive and is clamped to 0 at every step.
    """

    steps: int = 20
    eta: float = 0.0

    blocks: ClassVar[dict[str, str]] = {
        name: rf"^{name}\." for name in ("input", "block1", "block2", "block3", "block4", "output")
    }

    def initial(self, generator: torch.Generator) -> Model:
        widths = {"input": (3, WIDTH), "output": (WIDTH, 2)}
        model = {}
        for name in self.blocks:
            model |= initial_layer(name, *widths.get(name, (WIDTH, WIDTH)), generator)
        return model

    def predictor(self, models: Stack) -> Callable[[torch.Tensor, torch.Tensor | float], torch.Tensor]:
        """(x [M, 2, n], time in 0 … 1: one or [n]) → predicted noise [M, 2, n].

        The input layer has no activation, so it and the first block's linear map are folded into one; in it the
        time only moves the bias.
        """
        weight = models["block1.weight"] @ models["input.weight"]
        of_x, of_time = weight[:, :, :2].contiguous(), weight[:, :, 2:]
        bias = linear(models, "block1", models["input.bias"])

        def predict(x: torch.Tensor, time: torch.Tensor | float) -> torch.Tensor:
            h = torch.baddbmm(bias + of_time * time, of_x, x).relu_()
            for block in ("block2", "block3", "block4"):
                h = linear(models, block, h).relu_()
            return linear(models, "output", h)

        return predict

    def loss(self, models: Stack, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Mean squared error of the predicted noise, each point at a random step of the training schedule."""
        t = torch.randint(TRAINING_STEPS, x.shape[1:], generator=generator)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        signal = alpha_bar(TRAINING_STEPS).to(x)[t]
        noisy = signal.sqrt() * x + (1 - signal).sqrt() * noise
        predicted = self.predictor(models)(noisy[None], t / (TRAINING_STEPS - 1))
        return torch.nn.functional.mse_loss(predicted[0], noise)

    def draws(self, n: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(self.steps - 1 if self.eta > 0 else 1, 2, n, generator=generator)

    def sample(self, models: Stack, draws: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        """Samples [M, 2, n] at the score scale ζ = `scale`."""
        each = draws[:, None].expand(-1, len(models["output.bias"]), -1, -1)
        return ddim(self.predictor(models), each, self.steps, self.eta, scale)
