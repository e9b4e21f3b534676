"""xAR's settings, block presets and published files: all that can be known of the family without torch."""

from collections.abc import Iterator, Mapping

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.families.networks.autoencoder_files import autoencoder_tensors
from adaptive_neon.families.networks.settings import AUTOENCODER, COUNT, DIT, IMAGES, POSITIVE, SHARE
from adaptive_neon.families.xar.published import IMAGENET_256, SIZES, from_published, published_size

__all__ = ["from_published"]

_DEPTH = DIT["depth"]

SCHEMA = {
    "architecture": {
        "required": [
            "img_resolution",
            "img_channels",
            "label_dim",
            "patch_size",
            "cells",
            "hidden_size",
            "encoder_depth",
            "decoder_depth",
            "num_heads",
        ],
        "properties": IMAGES
        | {key: DIT[key] for key in ("patch_size", "hidden_size", "num_heads", "mlp_ratio")}
        | {
            "cells": COUNT | {"minimum": 2, "maximum": 64},
            "encoder_depth": _DEPTH,
            "decoder_depth": _DEPTH,
            "scale": POSITIVE,
            "codec": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "required": list(AUTOENCODER),
                "properties": AUTOENCODER,
            },
        },
    },
    "sampler": {
        "required": ["steps", "guidance"],
        "properties": {
            "steps": COUNT | {"minimum": 2, "maximum": 1000},
            "guidance": {"type": "number", "minimum": 0, "maximum": 100},
        },
    },
    "training": {
        "required": ["dropout", "label_dropout"],
        "properties": {
            "dropout": SHARE,
            "label_dropout": SHARE,
            "flip": {"type": "number", "minimum": 0, "maximum": 1},
        },
    },
}
SAMPLER = {"steps": 40, "guidance": 2.7}  # as the authors draw from xAR-B
PUBLISHED = (".pth", ".pt", ".ckpt")
STARTS_FROM_NOISE = True
BUFFERS = ("mask", "rope.freqs", "rope.freqs_cos", "rope.freqs_sin")  # what their names end in


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """Images of other channels than the codec's; guidance of a model that does not know images without a class."""
    base = config["base"]
    architecture = base["architecture"] or {}
    codec, channels = architecture.get("codec"), architecture.get("img_channels")
    if codec and channels and codec["img_channels"] != channels:
        yield (
            "base.architecture.codec.img_channels",
            f"{codec['img_channels']}, but base.architecture.img_channels is {channels}; make them equal",
        )
    classless = architecture.get("label_dim") == 0
    if not classless and (not base["training"] or base["training"]["label_dropout"]):
        return
    mend = "a model without classes has none; set it to 1"
    if not classless:
        mend = "it needs base.training.label_dropout above 0, to learn images without a class"
    grid = config.get("grid", {}).get("sampler", {})
    for key, scales in (("sampler", [config["sampler"]["guidance"]]), ("grid.sampler", grid.get("guidance", []))):
        if any(scale != 1 for scale in scales):
            yield f"{key}.guidance", f"{scales[0] if key == 'sampler' else scales}: {mend}"


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """Embeddings, the blocks of both stacks in thirds, and the head; or both stacks and what conditions them."""
    depths = [(architecture or {}).get(f"{stack}_depth", 8) for stack in ("encoder", "decoder")]
    blocks = [
        rf"{stack}_blocks\.{i}\."
        for stack, depth in zip(("encoder", "decoder"), depths, strict=True)
        for i in range(depth)
    ]
    # What stands between the stacks goes with the encoder's last block.
    blocks[depths[0] - 1] += r"|encoder_norm|decoder_embed|decoder_pos_embed"
    bounds = [round(third * len(blocks) / 3) for third in range(4)]
    thirds = ["|".join(blocks[bounds[i] : bounds[i + 1]]) for i in range(3)]
    return {
        "by-depth": {
            "embedding": r"^(z_proj|encoder_pos_embed|class_emb|time_embed)",
            **{name: f"^({third})" for name, third in zip(("early", "middle", "late"), thirds, strict=True)},
            "head": r"^(decoder_norm|pred)",
        },
        "encoder-decoder": {
            "condition": r"^(class_emb|time_embed)",
            "encoder": r"^(z_proj|encoder_)",
            "decoder": r"^(decoder_|pred)",
        },
    }


def is_weight(name: str) -> bool:
    """All but the mask of attention, −∞ in part, and the tables of the rotary embedding."""
    return not name.endswith(BUFFERS)


def codec_from_published(content: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of an autoencoder such as MAR's kl16.ckpt (see `autoencoder_files.autoencoder_tensors`)."""
    return autoencoder_tensors(content, size)


def published_architecture(checkpoint: str) -> dict:
    """That of xAR-B, xAR-L or xAR-H, after the letter in the name."""
    size = published_size(checkpoint)
    if size is None:
        raise InputError(
            f"base.architecture: not known before {checkpoint} is imported; give it, or import it first"
        )
    return IMAGENET_256 | SIZES[size]


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With OliverRensu/xAR, for models of its sizes; else with this library."""
    own = {"patch_size": 1, "cells": 2, "mlp_ratio": 4} | dict(architecture)
    own.pop("family", None)
    size = next((size for size, widths in SIZES.items() if own == IMAGENET_256 | widths), None)
    if size is None:
        return (
            "# with adaptive_neon\n"
            f"network = adaptive_neon.families.loading.build({dict(architecture)!r})\n"
            f"network.load_state_dict(torch.load({path!r}))"
        )
    return (
        f"# with OliverRensu/xAR\nnetwork = models.xar.xar_{size}()\nnetwork.load_state_dict(torch.load({path!r}))"
    )
