"""xAR as a family: its transformer, loss and sampler behind `families.protocol`."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from adaptive_neon.errors import InputError
from adaptive_neon.families import architecture as arguments
from adaptive_neon.families.flop import BACKWARD
from adaptive_neon.families.networks.autoencoder import AutoencoderKL
from adaptive_neon.families.pixels import from_uint8, to_uint8
from adaptive_neon.families.sampling import seeded_noise
from adaptive_neon.families.xar.matching import draw_cells, matching_loss
from adaptive_neon.families.xar.network import XAR


def build(architecture: Mapping, training: Mapping | None = None) -> XAR:
    """A freshly initialised network from the arguments of `XAR`; dropout is that of the training.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    dropout = {"dropout": training["dropout"]} if training else {}
    return arguments.construct(XAR, complete(architecture) | dropout)


def complete(architecture: Mapping) -> dict:
    """The architecture with the defaults of what it leaves out.

    Raises:
        InputError: an unknown or a missing argument.
    """
    return arguments.complete(architecture, XAR)


def build_codec(architecture: Mapping) -> AutoencoderKL:
    """The frozen autoencoder.

    Raises:
        InputError: an unknown or unsupported argument.
    """
    codec = arguments.construct(AutoencoderKL, arguments.complete(architecture["codec"], AutoencoderKL))
    return codec.eval().requires_grad_(False)


def fit_codec(architecture: Mapping, images: Tensor, labels: Tensor | None, seed: int) -> nn.Module:
    """An autoencoder cannot be made here.

    Raises:
        InputError: always.
    """
    raise InputError("base.codec: null, but an autoencoder takes days to train; give the file of one")


def loss(
    network: XAR,
    images: Tensor,
    labels: Tensor | None,
    training: Mapping,
    dtype: torch.dtype,
    codec: AutoencoderKL | None = None,
) -> Tensor:
    """The loss of each image (see `matching.matching_loss`), [N].

    Random numbers in this order: which images are mirrored, their latents, which lose their class, times, noise.
    """
    x = from_uint8(images)
    with torch.no_grad(), _autocast(x.device, dtype):
        if training.get("flip"):
            mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < training["flip"]
            x = torch.where(mirrored, x.flip(3), x)
        if codec is not None:
            x = codec.sample(x).float()
    none = torch.full([len(x)], network.label_dim, device=x.device)
    dropped = torch.rand(len(x), device=x.device) < training["label_dropout"]
    classes = none if labels is None else torch.where(dropped, none, labels)

    def velocity(cells: Tensor, t: Tensor) -> Tensor:
        with _autocast(x.device, dtype):
            return network(cells, t, classes).float()

    return matching_loss(velocity, network.grid.split(x * network.scale))


@torch.inference_mode()
def draw(
    network: XAR,
    seeds: Sequence[int],
    sampler: Mapping,
    classes: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    codec: AutoencoderKL | None = None,
) -> tuple[Tensor, Tensor]:
    """Images by drawing one cell after the other; all noise on the way is of the image's seed."""
    device = network.mask.device
    cells, *token = network.grid.shape
    noise, labels = seeded_noise(seeds, (cells, sampler["steps"], *token), network.label_dim, classes)
    with _autocast(device, dtype):
        drawn = draw_cells(network, noise.to(device), labels.to(device), sampler["guidance"], dtype)
        x = network.grid.join(drawn).float() / network.scale
        images = x if codec is None else codec.decode(x).float()
    return to_uint8(images).cpu(), labels


def training_flop(architecture: Mapping) -> float:
    """Of a training step per image: the network forwards and backwards, the encoder forwards."""
    with torch.device("meta"):
        network = build(architecture)
        cells, classes = torch.zeros(1, *network.grid.shape), torch.zeros(1, dtype=torch.int64)
        once = _flop(lambda: network(cells, torch.zeros(cells.shape[:2]), classes))
        codec = build_codec(architecture) if architecture.get("codec") else None
        image = torch.zeros(1, network.img_channels, *[network.img_resolution] * 2)
        return BACKWARD * once + (_flop(lambda: codec.encode(image)) if codec else 0)


def drawing_flop(architecture: Mapping, sampler: Mapping) -> float:
    """Of an image: see `matching.draw_cells` for which evaluations are of one class and which of two."""
    *cells, decoding = _flop_of_parts(json.dumps(dict(architecture)))
    labels = 2 if sampler["guidance"] != 1 else 1
    total = decoding
    for k, evaluation in enumerate(cells):
        drawing = sampler["steps"] * (labels if k else 1)
        total += evaluation * (drawing + (labels if k < len(cells) - 1 else 0))
    return total


@cache  # a search asks for many settings of the sampler
def _flop_of_parts(architecture: str) -> list[float]:
    """Of an evaluation of each cell, and of decoding an image; the architecture is JSON."""
    architecture = json.loads(architecture)
    with torch.device("meta"):
        network = build(architecture)
        cells, *token = network.grid.shape
        inputs = torch.zeros(1, 1, *token), torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)
        room = network.new_cache(1, torch.float32)
        parts = [_flop(partial(network, *inputs, first=k, cache=room)) for k in range(cells)]
        if not architecture.get("codec"):
            return [*parts, 0]
        latents = network.grid.join(torch.zeros(1, cells, *token))
        codec = build_codec(architecture)
        return [*parts, _flop(lambda: codec.decode(latents))]


def _flop(compute: Callable[[], object]) -> float:
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops()


def _autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """float32 is each network's own type; in another, its layers run under autocast."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
