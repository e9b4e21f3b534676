"""Layers, initial values and training that the two model families share."""

import math
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import torch

Model = dict[str, np.ndarray]  # parameter name → weight [out, in] or bias [out, 1]
Stack = dict[str, torch.Tensor]  # the same of M models, each with a leading axis M


class Family(Protocol):
    """What the studies know of a kind of model."""

    blocks: Mapping[str, str]  # block → pattern of parameter names (see `blocks.assign_blocks`)

    def initial(self, generator: torch.Generator) -> Model:
        """An untrained model."""

    def loss(self, models: Stack, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The mean training loss (scalar) of one model (M = 1) on the points x [2, n]."""

    def draws(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """The standard normal numbers [k, 2, n] that make n samples."""

    def sample(self, models: Stack, draws: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        """Samples [M, 2, n]: every model gets the same draws. `scale` is the sampler's ζ or τ."""


def initial_layer(name: str, inputs: int, outputs: int, generator: torch.Generator) -> Model:
    """A linear layer with weight and bias uniform in ±1/√inputs, the default of PyTorch."""
    bound = 1 / math.sqrt(inputs)
    return {
        f"{name}.weight": torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator).numpy(),
        f"{name}.bias": torch.empty(outputs, 1).uniform_(-bound, bound, generator=generator).numpy(),
    }


def linear(models: Stack, name: str, h: torch.Tensor) -> torch.Tensor:
    """The layer `name` of each model on its own columns: [M, in, n] → [M, out, n]."""
    return torch.baddbmm(models[f"{name}.bias"], models[f"{name}.weight"], h)


def stack(models: Iterable[Model]) -> Stack:
    """The tensors of M models of one family, with a leading axis M."""
    models = list(models)
    return {name: torch.from_numpy(np.stack([model[name] for model in models])) for name in models[0]}


def train(
    family: Family,
    model: Model,
    x: torch.Tensor,
    learning_rate: float,
    snapshots: Iterable[int],
    generator: torch.Generator,
    batch: int = 2048,
) -> dict[int, Model]:
    """Train with Adam on the points x [2, n], in order and in batches; the model after each of `snapshots` epochs.

    Raises:
        FloatingPointError: the loss stopped being finite.
    """
    snapshots = set(snapshots)
    parameters = {name: tensor.clone().requires_grad_() for name, tensor in stack([model]).items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=learning_rate, fused=True)
    trained = {}
    for epoch in range(1, max(snapshots) + 1):
        for columns in x.split(batch, dim=1):
            loss = family.loss(parameters, columns, generator)
            if not loss.isfinite():
                raise FloatingPointError(f"training: the loss is {loss.item()} in epoch {epoch}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch in snapshots:
            trained[epoch] = {name: tensor.detach()[0].numpy().copy() for name, tensor in parameters.items()}
    return trained
