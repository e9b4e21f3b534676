"""EDM as a family: its networks, loss and sampler behind `families.protocol`."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from adaptive_neon.errors import InputError
from adaptive_neon.families import architecture as arguments
from adaptive_neon.families.edm.augmentation import augment
from adaptive_neon.families.edm.diffusion import Denoiser, edm_loss, heun, noise_levels
from adaptive_neon.families.edm.network import EDMPrecond
from adaptive_neon.families.edm.settings import LABELS
from adaptive_neon.families.flop import BACKWARD, network_flop
from adaptive_neon.families.networks.unet import NETWORKS
from adaptive_neon.families.pixels import from_uint8, one_hot
from adaptive_neon.families.sampling import draw_from_noise


def build(architecture: Mapping, training: Mapping | None = None) -> EDMPrecond:
    """A freshly initialised network from the arguments of `EDMPrecond`; dropout is that of the training.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    dropout = {"dropout": training["dropout"]} if training else {}
    return arguments.construct(EDMPrecond, complete(architecture) | dropout)


def complete(architecture: Mapping) -> dict:
    """The architecture with the defaults of what it leaves out.

    Raises:
        InputError: an unknown or a missing argument.
    """
    model_type = architecture.get("model_type", "DhariwalUNet")
    arguments.require("model_type", model_type, NETWORKS)
    return arguments.complete(architecture, EDMPrecond, NETWORKS[model_type])


def loss(
    network: EDMPrecond, images: Tensor, labels: Tensor | None, training: Mapping, dtype: torch.dtype
) -> Tensor:
    """EDM's denoising loss (see `diffusion.edm_loss`), [N, C, H, W].

    Raises:
        InputError: the network has no labels for the augmentation, which then would leak into its images.
    """
    probability = training.get("augment", 0)
    if probability and network.augment_dim != LABELS:
        raise InputError(
            f"augment: {probability}, but the network has augment_dim {network.augment_dim}; set augment to 0, or "
            f"start from a network with augment_dim {LABELS}"
        )
    classes = one_hot(labels, network.label_dim, images.device)
    denoise = partial(network, class_labels=classes, dtype=dtype)
    change = partial(augment, probability=probability) if probability else None
    return edm_loss(denoise, from_uint8(images), network.sigma_data, augment=change)


def draw(
    network: EDMPrecond,
    seeds: Sequence[int],
    sampler: Mapping,
    classes: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    differentiable: bool = False,
) -> tuple[Tensor, Tensor]:
    """Images by the deterministic sampler; the network's own range of noise levels limits the schedule."""
    sigmas = _sigmas(network, sampler)

    def solve(denoise: Denoiser, noise: Tensor) -> Tensor:
        return heun(denoise, noise, sigmas.to(noise.device))

    return draw_from_noise(network, seeds, solve, classes, dtype, differentiable=differentiable)


def levels(network: EDMPrecond, sampler: Mapping) -> list[float]:
    """The noise levels σ at which the sampler evaluates the network, falling."""
    return _sigmas(network, sampler)[:-1].tolist()


def predict(
    network: EDMPrecond,
    images: Tensor,
    noise: Tensor,
    level: float,
    labels: Tensor | None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """D(y + σ·n; σ), float32 [N, C, H, W], for images y in [−1, 1]."""
    classes = one_hot(labels, network.label_dim, images.device)
    return network(images + level * noise, level, class_labels=classes, dtype=dtype)


def _sigmas(network: EDMPrecond, sampler: Mapping) -> Tensor:
    limits = {
        "sigma_min": max(sampler["sigma_min"], network.sigma_min),
        "sigma_max": min(sampler["sigma_max"], network.sigma_max),
    }
    return noise_levels(**sampler | limits)


def training_flop(architecture: Mapping) -> float:
    """Of a training step per image."""
    return BACKWARD * network_flop(partial(build, architecture))


def drawing_flop(architecture: Mapping, sampler: Mapping) -> float:
    """Of an image: Heun's second-order steps evaluate the network 2·steps − 1 times."""
    return (2 * sampler["steps"] - 1) * network_flop(partial(build, architecture))
