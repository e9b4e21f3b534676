"""EDM's settings, block presets and published files: all that can be known of the family without torch."""

import re
from collections.abc import Iterator, Mapping

from adaptive_neon.families.edm import published
from adaptive_neon.families.networks.settings import (
    COUNT,
    IMAGES,
    POSITIVE,
    SHARE,
    UNET,
    UNET_BLOCKS,
    UNET_BUFFERS,
)

LABELS = 9  # of an image's augmentation, the network's `augment_dim`

SCHEMA = {
    "architecture": {
        "required": ["model_type", "img_resolution", "img_channels", "label_dim", "channel_mult"],
        "properties": IMAGES | UNET | {"sigma_data": POSITIVE},
    },
    "sampler": {
        "required": ["steps", "sigma_min", "sigma_max", "rho"],
        "properties": {
            "steps": COUNT | {"minimum": 2, "maximum": 1000},
            "sigma_min": POSITIVE | {"minimum": 1e-9},
            "sigma_max": POSITIVE | {"maximum": 1e9},
            "rho": POSITIVE | {"minimum": 0.1, "maximum": 1e6},  # its powers of the noise levels are finite
        },
    },
    "training": {
        "required": ["dropout"],
        "properties": {"dropout": SHARE, "augment": {"type": "number", "minimum": 0, "maximum": 1}},
    },
}
SAMPLER = {"steps": 18, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}
DIFFERENTIABLE = True
NOISE_LEVEL = "noise level σ"
PUBLISHED = (".pkl",)
STARTS_FROM_NOISE = True
from_published = published.from_published

# The networks of NVIDIA's checkpoints by their resolution.
NVIDIA = {"model_type": "SongUNet", "img_channels": 3, "label_dim": 0, "model_channels": 128, "num_blocks": 4}
NVIDIA_LEVELS = {32: [2, 2, 2], 64: [1, 2, 2, 2]}


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """The noise levels' order, and augmentation without labels for it."""
    sampler, base = config["sampler"], config["base"]
    if sampler["sigma_min"] >= sampler["sigma_max"]:
        yield (
            "sampler.sigma_min",
            f"{sampler['sigma_min']} is not below sampler.sigma_max, {sampler['sigma_max']}",
        )
    if not base["architecture"]:
        return
    for key, training in (("base.training", base["training"]), ("finetune", config["finetune"])):
        if training and training.get("augment") and base["architecture"].get("augment_dim", 0) != LABELS:
            yield (
                f"{key}.augment",
                f"{training['augment']} needs base.architecture.augment_dim: {LABELS}, its labels",
            )


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """Encoder, middle and decoder of any of the U-Nets."""
    return {"enc-mid-dec": UNET_BLOCKS}


def is_weight(name: str) -> bool:
    """All but the resampling filters and the frequencies of the noise embedding."""
    return not name.endswith(UNET_BUFFERS)


def published_architecture(checkpoint: str) -> dict:
    """That of NVIDIA's checkpoint of the resolution in its name, 32 × 32 if there is none."""
    match = re.search(r"(\d+)x\1", checkpoint)
    side = int(match[1]) if match and int(match[1]) in NVIDIA_LEVELS else 32
    return NVIDIA | {"img_resolution": side, "channel_mult": NVIDIA_LEVELS[side], "attn_resolutions": [16]}


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With NVlabs/edm."""
    arguments = ", ".join(f"{key}={value!r}" for key, value in architecture.items() if key != "family")
    return (
        "# with NVlabs/edm\n"
        f"network = training.networks.EDMPrecond({arguments.replace('=inf', '=math.inf')})\n"
        f"network.load_state_dict(torch.load({path!r}))"
    )
