"""Flow matching as a family: its networks, loss and samplers behind `families.protocol`."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from adaptive_neon.errors import InputError
from adaptive_neon.families import architecture as arguments
from adaptive_neon.families.flop import BACKWARD, network_flop
from adaptive_neon.families.flow.matching import euler, flow_matching_loss, heun, times
from adaptive_neon.families.flow.network import NETWORKS, VelocityField
from adaptive_neon.families.pixels import from_uint8, one_hot
from adaptive_neon.families.sampling import draw_from_noise

METHODS = {"euler": euler, "heun": heun}


def build(architecture: Mapping, training: Mapping | None = None) -> VelocityField:
    """A freshly initialised network from the arguments of `VelocityField`; dropout is that of the training.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    known = complete(architecture)
    if training and "dropout" in known:
        known["dropout"] = training["dropout"]
    return arguments.construct(VelocityField, known)


def complete(architecture: Mapping) -> dict:
    """The architecture with the defaults of what it leaves out.

    Raises:
        InputError: an unknown or a missing argument.
    """
    model_type = architecture.get("model_type", "DiT")
    arguments.require("model_type", model_type, NETWORKS)
    if architecture.get("augment_dim"):
        raise InputError("architecture.augment_dim: flow matching tells its network of no augmentation; remove it")
    return arguments.complete(architecture, VelocityField, NETWORKS[model_type])


def loss(
    network: VelocityField, images: Tensor, labels: Tensor | None, training: Mapping, dtype: torch.dtype
) -> Tensor:
    """The flow-matching loss (see `matching.flow_matching_loss`), [N, C, H, W]; some images lose their class."""
    classes = one_hot(labels, network.label_dim, images.device)
    if (share := training.get("label_dropout", 0)) and classes is not None:
        classes = classes * (torch.rand(len(images), 1, device=images.device) >= share)
    return flow_matching_loss(partial(network, class_labels=classes, dtype=dtype), from_uint8(images))


def draw(
    network: VelocityField,
    seeds: Sequence[int],
    sampler: Mapping,
    classes: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    differentiable: bool = False,
) -> tuple[Tensor, Tensor]:
    """Images by integrating the velocity field from the noise of each seed."""
    solve = partial(METHODS[sampler["method"]], steps=sampler["steps"])
    guided = partial(_guided, sampler)
    guidance = sampler.get("guidance", 1)
    return draw_from_noise(
        network, seeds, solve, classes, dtype, guidance, guided=guided, differentiable=differentiable
    )


def _guided(sampler: Mapping, t: Tensor | float) -> bool:
    """Whether guidance acts at time t, always or in an interval (Kynkäänniemi et al. 2024, arXiv 2404.07724)."""
    return sampler.get("guidance_from", 0) <= float(t) <= sampler.get("guidance_to", 1)


def levels(network: VelocityField, sampler: Mapping) -> list[float]:
    """The times t at whose steps the sampler evaluates the network, rising from 0, all noise."""
    return times(sampler["steps"])[:-1].tolist()


def predict(
    network: VelocityField,
    images: Tensor,
    noise: Tensor,
    level: float,
    labels: Tensor | None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """v((1 − t)·n + t·y, t), float32 [N, C, H, W], for images y in [−1, 1]."""
    classes = one_hot(labels, network.label_dim, images.device)
    return network((1 - level) * noise + level * images, level, class_labels=classes, dtype=dtype)


def training_flop(architecture: Mapping) -> float:
    """Of a training step per image."""
    return BACKWARD * network_flop(partial(build, architecture))


def drawing_flop(architecture: Mapping, sampler: Mapping) -> float:
    """Of an image: Euler's method evaluates the network where a step begins, Heun's also where it ends."""
    places = times(sampler["steps"]).tolist()
    evaluated = places[:-1] if sampler["method"] == "euler" else places[:-1] + places[1:]
    twice = sum(_guided(sampler, t) for t in evaluated) if sampler.get("guidance", 1) != 1 else 0
    return (len(evaluated) + twice) * network_flop(partial(build, architecture))
