"""The autoregressive model on 2-D points: p(x₁) p(x₂ | x₁), both Gaussian (Neon, appendix)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from adaptive_neon.toy.network import Model, Stack, initial_layer, linear

WIDTH = 64
LOG_STD = (-6.0, 3.0)  # the range that log σ is clamped to


def negative_log_density(x: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """−log N(x; μ, σ²), in nats."""
    return 0.5 * ((x - mean) / log_std.exp()) ** 2 + log_std + 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Autoregressive:
    """A free Gaussian for x₁, and an MLP x₁ → (μ₂, log σ₂) with two hidden ReLU layers of 64 for x₂."""

    blocks: ClassVar[dict[str, str]] = {"all": "."}

    def initial(self, generator: torch.Generator) -> Model:
        model = {"first.mean": np.zeros((1, 1), np.float32), "first.log_std": np.zeros((1, 1), np.float32)}
        for name, inputs, outputs in (("hidden1", 1, WIDTH), ("hidden2", WIDTH, WIDTH), ("output", WIDTH, 2)):
            model |= initial_layer(name, inputs, outputs, generator)
        return model

    def first(self, models: Stack) -> tuple[torch.Tensor, torch.Tensor]:
        """μ₁ and log σ₁, [M, 1, 1] each."""
        return models["first.mean"], models["first.log_std"].clamp(*LOG_STD)

    def second(self, models: Stack, x1: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """μ₂ and log σ₂ given x₁, [M, 1, n] each."""
        h = linear(models, "hidden1", x1).relu_()
        h = linear(models, "hidden2", h).relu_()
        mean, log_std = linear(models, "output", h).split(1, dim=1)
        return mean, log_std.clamp(*LOG_STD)

    def loss(self, models: Stack, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Mean −log p(x₁, x₂), in nats; draws nothing."""
        x1, x2 = x[None].split(1, dim=1)
        nll1 = negative_log_density(x1, *self.first(models))
        nll2 = negative_log_density(x2, *self.second(models, x1))
        return (nll1 + nll2).mean()

    def draws(self, n: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(1, 2, n, generator=generator)

    def sample(self, models: Stack, draws: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        """Samples [M, 2, n] at the temperature τ = `scale`, which multiplies both standard deviations."""
        noise1, noise2 = draws.split(1, dim=1)
        mean1, log_std1 = self.first(models)
        x1 = mean1 + scale * log_std1.exp() * noise1
        mean2, log_std2 = self.second(models, x1)
        return torch.cat([x1, mean2 + scale * log_std2.exp() * noise2], dim=1)
