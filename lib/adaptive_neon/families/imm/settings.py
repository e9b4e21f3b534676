"""The settings, block presets and published files of inductive moment matching, without torch."""

from collections.abc import Iterator, Mapping

import numpy as np

from adaptive_neon.families.guidance import SCALE, guidance_contradictions
from adaptive_neon.families.imm import published
from adaptive_neon.families.networks.autoencoder_files import autoencoder_tensors
from adaptive_neon.families.networks.settings import (
    AUTOENCODER,
    COUNT,
    DIT,
    IMAGES,
    POSITIVE,
    SHARE,
    UNET,
    UNET_BLOCKS,
    UNET_BUFFERS,
    dit_blocks,
)

_UNET = {key: value for key, value in UNET.items() if key not in ("augment_dim", "label_dropout")} | {
    "embedding_type": {"enum": ["positional"]}
}
_TIME = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_CHANNELS = {"type": "array", "minItems": 1, "maxItems": 64}

# An autoencoder, and the mean and standard deviation of its latents, which the model sees as 0 and 0.5.
CODEC = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "required": [*AUTOENCODER, "mean", "std"],
    "properties": AUTOENCODER
    | {"mean": _CHANNELS | {"items": {"type": "number"}}, "std": _CHANNELS | {"items": POSITIVE}},
}

SCHEMA = {
    "architecture": {
        "required": ["model_type", "img_resolution", "img_channels", "label_dim"],
        "properties": IMAGES
        | _UNET
        | DIT
        | {
            "model_type": {"enum": ["SongUNet", "DiT"]},
            "sigma_data": POSITIVE,
            "T": _TIME | {"exclusiveMinimum": 0},
            "eps": _TIME,
            "f_type": {"enum": ["euler_fm", "simple_edm"]},
            "temb_type": {"enum": ["stride", "identity"]},
            "codec": CODEC,
        },
    },
    "sampler": {
        "required": ["steps"],
        "properties": {
            "steps": COUNT | {"maximum": 1000},
            "guidance": SCALE,
            "discretization": {"enum": ["uniform", "edm"]},
            "mid_nt": POSITIVE,
        },
    },
    "training": {
        "required": ["dropout"],
        "properties": {
            "dropout": SHARE,
            "label_dropout": SHARE,
            "group": COUNT,
            "a": {"type": "number"},
            "b": {"type": "number"},
            "k": {"type": "number", "minimum": 0, "maximum": 64},
            "min_tr_gap": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            "flow_share": {"type": "number", "minimum": 0, "maximum": 1},
        },
    },
}
SAMPLER = {"steps": 8}

# What the training's settings are where a configuration is silent: Luma's on ImageNet-256, but for `flow_share`.
TRAINING = {"label_dropout": 0.1, "group": 4, "a": 2, "b": 4, "k": 12, "min_tr_gap": 1e-4, "flow_share": 0}

PUBLISHED = (".pkl", ".pt")
STARTS_FROM_NOISE = True
from_published = published.from_published


def latent_shape(img_resolution: int, img_channels: int, codec: Mapping | None) -> tuple[int, int, int]:
    """Channels, height and width of what the model draws: latents of the codec, or pixels."""
    if not codec:
        return img_channels, img_resolution, img_resolution
    side = img_resolution >> len(codec["ch_mult"]) - 1
    return codec["z_channels"], side, side


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """Arguments of another network than the chosen one, times out of order, groups that do not fill a batch."""
    base, sampler = config["base"], config["sampler"]
    if "mid_nt" in sampler and sampler["steps"] != 2:
        yield "sampler.mid_nt", f"the time between two steps, but sampler.steps is {sampler['steps']}; set it to 2"
    if "mid_nt" in sampler and "discretization" in sampler:
        yield "sampler.mid_nt", "says the times of both steps; remove it or sampler.discretization"
    architecture = base["architecture"] or {}
    if (eps := architecture.get("eps", 0)) >= (highest := architecture.get("T", 0.994)):
        yield "base.architecture.eps", f"{eps} is not below T, {highest}"
    yield from guidance_contradictions(config, TRAINING["label_dropout"])
    model = architecture.get("model_type")
    foreign = {"DiT": _UNET.keys() - {"model_type"}, "SongUNet": DIT.keys()}.get(model, ())
    for key in sorted(set(architecture) & set(foreign)):
        yield f"base.architecture.{key}", f"no argument of {model}; remove it"
    for key, training in (("base.training", base["training"]), ("finetune", config.get("finetune"))):
        if not training:
            continue
        if model == "DiT" and training["dropout"]:
            yield f"{key}.dropout", f"{training['dropout']}, but a DiT has no dropout; set it to 0"
        size = "micro_batch" if training.get("micro_batch") else "batch"
        group = (TRAINING | training)["group"]
        if training[size] % group:
            yield (
                f"{key}.{size}",
                f"{training[size]} images do not split into groups of {group}; choose a multiple",
            )


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """Encoder, middle and decoder of a U-Net, or the thirds of a DiT with its embeddings and its head."""
    if (architecture or {}).get("model_type") == "SongUNet":
        return {"enc-mid-dec": UNET_BLOCKS}
    blocks = dit_blocks((architecture or {}).get("depth", 28))
    return {"by-depth": blocks | {"embedding": r"[xtsy]_embedder\.|pos_embed"}}


def is_weight(name: str) -> bool:
    """All but the filters of a U-Net: of a DiT even the table of positions, which fine-tuning moves."""
    return not name.endswith(UNET_BUFFERS)


def codec_from_published(content: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of an autoencoder such as Stable Diffusion's (see `autoencoder_files.autoencoder_tensors`)."""
    return autoencoder_tensors(content, size)


def published_architecture(checkpoint: str) -> dict:
    """That of Luma's checkpoint of this name: on ImageNet-256 unless it says CIFAR."""
    return published.CIFAR_10 if "cifar" in checkpoint.lower() else published.IMAGENET_256


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With lumalabs/imm."""
    channels, side, _ = latent_shape(
        architecture["img_resolution"], architecture["img_channels"], architecture.get("codec")
    )
    known = {key: value for key, value in architecture.items() if key not in ("family", "codec")}
    known |= {"img_resolution": side, "img_channels": channels}
    if known["model_type"] == "DiT":
        known["num_classes"] = known["label_dim"]
    arguments = ", ".join(f"{key}={value!r}" for key, value in known.items())
    return (
        "# with lumalabs/imm\n"
        f"network = training.preconds.IMMPrecond({arguments})\n"
        f"network.load_state_dict(torch.load({path!r}))"
    )
