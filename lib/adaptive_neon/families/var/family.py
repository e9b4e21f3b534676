"""VAR as a family: its transformer, tokenizers, loss and sampler behind `families.protocol`."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from adaptive_neon.errors import InputError
from adaptive_neon.families import architecture as arguments
from adaptive_neon.families.flop import BACKWARD
from adaptive_neon.families.pixels import from_uint8
from adaptive_neon.families.var.crops import enlarge_and_crop
from adaptive_neon.families.var.network import VAR, Cache, autocast
from adaptive_neon.families.var.patches import Patches
from adaptive_neon.families.var.sampler import keyed_race, sample_features, seeded_keys
from adaptive_neon.families.var.vqvae import VQVAE

CODECS = {"VQVAE": VQVAE, "patches": Patches}


def build(architecture: Mapping, training: Mapping | None = None) -> VAR:
    """A freshly initialised transformer from the arguments of `VAR`; drop-path is that of the training.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    drop_path = {"drop_path": training["drop_path"]} if training else {}
    return arguments.construct(VAR, complete(architecture) | drop_path)


def complete(architecture: Mapping) -> dict:
    """The architecture with the defaults of what it leaves out.

    Raises:
        InputError: an unknown or a missing argument.
    """
    return arguments.complete(architecture, VAR)


def build_codec(architecture: Mapping) -> nn.Module:
    """The tokenizer, frozen; its codebook is not yet what it was trained or fitted to be.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    own = dict(architecture["codec"])
    codec = CODECS[own.pop("model_type")]
    known = {"img_channels": architecture["img_channels"], "patch_nums": architecture["patch_nums"]} | own
    return arguments.construct(codec, arguments.complete(known, codec)).eval().requires_grad_(False)


def fit_codec(architecture: Mapping, images: np.ndarray, labels: np.ndarray | None, seed: int) -> nn.Module:
    """A tokenizer of patches, its codebook fitted to the images in seconds.

    Args:
        images: uint8 [N, H, W, C].
        labels: have no part in it.

    Raises:
        InputError: the tokenizer is one that must be trained.
    """
    codec = build_codec(architecture)
    if not isinstance(codec, Patches):
        raise InputError("base.codec: missing; give the file of the tokenizer, such as vae_ch160v4096z32.pth")
    codec.fit(from_uint8(torch.as_tensor(images)), seed)
    return codec


def loss(
    network: VAR,
    images: Tensor,
    labels: Tensor | None,
    training: Mapping,
    dtype: torch.dtype,
    codec: nn.Module,
) -> Tensor:
    """The cross-entropy of the tokens of each image, the mean over all scales' tokens, [N].

    Random numbers in this order: where the image is cropped; which images lose their class; which skip a block.
    """
    with torch.no_grad():
        cropped = enlarge_and_crop(images, training.get("enlarge", 1))
        tokens, inputs = codec.quantize.tokenise(codec.encode(cropped / 127.5 - 1))
    none = torch.full([len(images)], network.label_dim, device=images.device)
    dropped = torch.rand(len(images), device=images.device) < training["label_dropout"]
    classes = none if labels is None else torch.where(dropped, none, labels)
    logits = network(classes, inputs, dtype)
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape).mean(1)


def draw(
    network: VAR,
    seeds: Sequence[int],
    sampler: Mapping,
    classes: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    *,
    codec: nn.Module,
) -> tuple[Tensor, Tensor]:
    """Images whose tokens are drawn scale by scale.

    A token is a discrete choice: rounding, which differs between devices, precisions and batches, can change one,
    and with it the image.
    """
    device = network.pos_start.device
    keys, labels = seeded_keys(seeds, network.label_dim, classes)
    race = keyed_race(keys.to(device), network.patch_nums, network.head.out_features)
    f_hat = sample_features(network, codec.quantize, labels.to(device), race, **sampler, dtype=dtype)
    with torch.inference_mode(), autocast(device, dtype):
        images = codec.decode(f_hat)
    return to_uint8(images).cpu(), labels


def to_uint8(x: Tensor) -> Tensor:
    """Images in [−1, 1], [N, C, H, W], as uint8 [N, H, W, C]: (x + 1)·127.5, truncated, as VAR stores them.

    If any image is not finite, none is returned, [0, H, W, C]: the model that made them has diverged.
    """
    if not torch.isfinite(x).all():
        x = x[:0]
    return ((x + 1) * 127.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def training_flop(architecture: Mapping) -> float:
    """Of a training step per image: the transformer forwards and backwards, the tokenizer forwards."""

    def flop(depth: int) -> float:
        with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network, codec = build({**architecture, "depth": depth}), build_codec(architecture)
            image = torch.zeros(1, network.img_channels, network.img_resolution, network.img_resolution)
            _, inputs = codec.quantize.tokenise(codec.encode(image))
            tokenizer = counter.get_total_flops()
            network(torch.zeros(1, dtype=torch.int64), inputs)
        return tokenizer + BACKWARD * (counter.get_total_flops() - tokenizer)

    return _of_all_blocks(flop, architecture["depth"])


def drawing_flop(architecture: Mapping, sampler: Mapping) -> float:
    """Of an image: the transformer once a scale, twice with guidance, and the decoder."""
    return _drawing_flop(json.dumps(dict(architecture)), sampler["guidance"] != 1)


@cache  # an estimate asks for each of the guidances that are searched
def _drawing_flop(architecture: str, guided: bool) -> float:
    known = json.loads(architecture)

    def flop(depth: int) -> float:
        with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network, codec = build({**known, "depth": depth}).eval(), build_codec(known)
            caches = [Cache(network.pos_1LC.shape[1]) for _ in network.blocks]
            classes = torch.zeros(1 + guided, dtype=torch.int64)
            width = network.word_embed.in_features
            for stage, side in enumerate(network.patch_nums):
                inputs = torch.zeros(1, side**2, width) if stage else None
                network.stage_logits(stage, classes, inputs, caches, torch.float32)
            codec.decode(torch.zeros(1, width, side, side))
        return counter.get_total_flops()

    return _of_all_blocks(flop, known["depth"])


def _of_all_blocks(flop: Callable[[int], float], depth: int) -> float:
    """Of a network of so many blocks, which all cost the same, from those of one and of two: counting is slow."""
    one, two = flop(1), flop(2)
    return one + (depth - 1) * (two - one)
