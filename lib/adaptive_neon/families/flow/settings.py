"""The settings and block presets of flow matching: all that can be known of the family without torch."""

from collections.abc import Iterator, Mapping

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.families.guidance import SCALE, guidance_contradictions
from adaptive_neon.families.networks.settings import (
    COUNT,
    DIT,
    DIT_BUFFERS,
    IMAGES,
    SHARE,
    UNET,
    UNET_BLOCKS,
    UNET_BUFFERS,
    dit_blocks,
)
from adaptive_neon.families.pickles import RefusedError

_UNET = {key: value for key, value in UNET.items() if key not in ("augment_dim", "label_dropout")}

SCHEMA = {
    "architecture": {
        "required": ["model_type", "img_resolution", "img_channels", "label_dim"],
        "properties": IMAGES | _UNET | DIT | {"model_type": {"enum": ["SongUNet", "DhariwalUNet", "DiT"]}},
    },
    "sampler": {
        "required": ["method", "steps"],
        "properties": {
            "method": {"enum": ["euler", "heun"]},
            "steps": COUNT | {"maximum": 1000},
            "guidance": SCALE,
            "guidance_from": SHARE,
            "guidance_to": SHARE,
        },
    },
    "training": {"required": ["dropout"], "properties": {"dropout": SHARE, "label_dropout": SHARE}},
}
SAMPLER = {"method": "heun", "steps": 50}
DIFFERENTIABLE = True
NOISE_LEVEL = "time t, from noise to data"
PUBLISHED = ()
STARTS_FROM_NOISE = True


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """Guidance that means nothing, arguments of another network than the chosen one, and dropout of a DiT."""
    yield from guidance_contradictions(config, label_dropout=0)
    first, last = config["sampler"].get("guidance_from", 0), config["sampler"].get("guidance_to", 1)
    if first >= last:
        yield "sampler.guidance_from", f"{first} is not below sampler.guidance_to, {last}"
    base = config["base"]
    architecture = base["architecture"] or {}
    model = architecture.get("model_type")
    if model is None:
        return
    foreign = _UNET.keys() - {"model_type"} if model == "DiT" else DIT
    for key in sorted(set(architecture) & set(foreign)):
        yield f"base.architecture.{key}", f"no argument of {model}; remove it"
    for key, training in (("base.training", base["training"]), ("finetune", config.get("finetune"))):
        if model == "DiT" and training and training["dropout"]:
            yield f"{key}.dropout", f"{training['dropout']}, but a DiT has no dropout; set it to 0"


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """Encoder, middle and decoder of a U-Net, or the thirds of a DiT with its embeddings and its head."""
    if (architecture or {}).get("model_type") == "DiT":
        return {"by-depth": dit_blocks(architecture.get("depth", 28))}
    return {"enc-mid-dec": UNET_BLOCKS}


def is_weight(name: str) -> bool:
    """All but the constants of the networks: filters, frequencies and the table of positions."""
    return not name.endswith(UNET_BUFFERS + DIT_BUFFERS)


def from_published(content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
    """There are no published files of this family."""
    raise RefusedError("is no file of flow matching, of which none are published")


def published_architecture(checkpoint: str) -> dict:
    """There are no published files of this family that its names could be known by."""
    raise InputError(f"base.architecture: not known before {checkpoint} is imported; give it, or import it first")


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With this library; of a DiT, the names after `model.` are those of DiT and SiT."""
    return (
        "# with adaptive_neon\n"
        f"network = adaptive_neon.families.loading.build({dict(architecture)!r})\n"
        f"network.load_state_dict(torch.load({path!r}))"
    )
