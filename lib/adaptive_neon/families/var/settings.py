"""VAR's settings, block presets and published files: all that can be known of the family without torch."""

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.families.networks.settings import COUNT, DIT, IMAGES, SHARE, WIDTH, thirds

STRIDE = 16  # pixels a token of the convolutional tokenizer, at its last scale
CODECS = {"VQVAE": ("z_channels", "ch"), "patches": ("patch_size",)}  # and their own arguments
BUFFERS = ("lvl_1L", "attn_bias_for_masking", "zero_k_bias")  # what their names end in

SCHEMA = {
    "architecture": {
        "required": [
            "img_resolution",
            "img_channels",
            "label_dim",
            "codec",
            "patch_nums",
            "depth",
            "embed_dim",
            "num_heads",
        ],
        "properties": IMAGES
        | {key: DIT[key] for key in ("depth", "num_heads", "mlp_ratio")}
        | {
            "codec": {
                "type": "object",
                "additionalProperties": False,
                "required": ["model_type", "vocab_size"],
                "properties": {
                    "model_type": {"enum": list(CODECS)},
                    "vocab_size": COUNT | {"maximum": 65_536},
                    "z_channels": COUNT | {"maximum": 1024},
                    "ch": WIDTH,
                    "patch_size": COUNT | {"maximum": 256},
                },
            },
            "patch_nums": {
                "type": "array",
                "minItems": 2,
                "maxItems": 64,
                "uniqueItems": True,
                "items": COUNT | {"maximum": 128},
            },
            "embed_dim": WIDTH,
            "shared_aln": {"enum": [False, True]},
        },
    },
    "sampler": {
        "required": ["guidance", "top_k", "top_p"],
        "properties": {
            "guidance": {"type": "number", "minimum": 0, "maximum": 100},
            "top_k": {"type": "integer", "minimum": 0},
            "top_p": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        },
    },
    "training": {
        "required": ["label_dropout", "drop_path"],
        "properties": {
            "label_dropout": SHARE,
            "drop_path": SHARE,
            "enlarge": {"type": "number", "minimum": 1, "maximum": 4},
        },
    },
}
SAMPLER = {"guidance": 2.5, "top_k": 900, "top_p": 0.96}  # as FoundationVision/VAR draws for FID
PUBLISHED = (".pth", ".pt", ".ckpt")

PATCH_NUMS = {256: [1, 2, 3, 4, 5, 6, 8, 10, 13, 16], 512: [1, 2, 3, 4, 6, 9, 13, 18, 24, 32]}
CODEC = {"model_type": "VQVAE", "vocab_size": 4096, "z_channels": 32, "ch": 160}


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """The tokenizer's arguments, the pyramid's order, and guidance by a network that knows no images without a class."""
    base = config["base"]
    architecture, training = base["architecture"] or {}, base["training"]
    if codec := architecture.get("codec"):
        own = CODECS[codec["model_type"]]
        for key in sorted(set(codec) - {"model_type", "vocab_size", *own}):
            yield f"base.architecture.codec.{key}", f"no argument of {codec['model_type']}; remove it"
        for key in sorted(set(own) - set(codec)):
            yield f"base.architecture.codec.{key}", f"missing; {codec['model_type']} needs it"
    patch_nums = architecture.get("patch_nums", [])
    if patch_nums != sorted(patch_nums):
        yield "base.architecture.patch_nums", f"{patch_nums} do not rise; sort them"
    if not training or training["label_dropout"]:
        return
    for key, section in (("sampler", config["sampler"]), ("grid.sampler", config["grid"].get("sampler", {}))):
        values = section.get("guidance", 1)
        if any(value != 1 for value in (values if isinstance(values, list) else [values])):
            yield (
                f"{key}.guidance",
                f"{values} needs base.training.label_dropout above 0, or the model never learns images without a class",
            )


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """By depth: embeddings (a shared modulation layer with them), the blocks in thirds, the head. Or by kind of layer."""
    embedding = r"^(pos_start|pos_1LC|word_embed|class_emb|lvl_embed|shared_ada_lin)"
    return {
        "by-depth": {
            "embedding": embedding,
            **{name: rf"^{pattern}" for name, pattern in thirds((architecture or {}).get("depth", 16)).items()},
            "head": r"^head",
        },
        "by-kind": {
            "embedding": r"^(pos_start|pos_1LC|word_embed|class_emb|lvl_embed)",
            "attention": r"\.attn\.",
            "mlp": r"\.ffn\.",
            "modulation": r"ada_lin|ada_gss",
            "head": r"^head\.",
        },
    }


def is_weight(name: str) -> bool:
    """All but the level of each token, the mask of attention, and the bias of keys that is always zero."""
    return not name.endswith(BUFFERS)


def codec(architecture: Mapping) -> Mapping | None:
    """The architecture of the tokenizer."""
    return architecture["codec"]


def codec_stride(codec: Mapping) -> int:
    """Pixels a token of the last scale."""
    return STRIDE if codec["model_type"] == "VQVAE" else codec["patch_size"]


def z_channels(codec: Mapping, img_channels: int) -> int:
    """Length of a code vector."""
    return codec["z_channels"] if codec["model_type"] == "VQVAE" else img_channels * codec["patch_size"] ** 2


def from_published(content: object) -> tuple[dict[str, np.ndarray], dict] | None:
    """A transformer as FoundationVision/VAR and Neon save it: a state dict, or a training's state that holds one.

    Raises:
        InputError: it is one of VAR's, but its tensors contradict each other.
    """
    state = _state_dict(content, "pos_1LC", "state_dict", "trainer.var_wo_ddp")
    if state is None:
        return None
    try:
        sizes = np.bincount(np.asarray(state["lvl_1L"]).reshape(-1)).tolist()
        vocab_size, width = state["head.weight"].shape
        hidden = state["blocks.0.ffn.fc1.weight"].shape[0]
        patch_nums = [math.isqrt(size) for size in sizes]
        architecture = {
            "img_resolution": STRIDE * patch_nums[-1],
            "img_channels": 3,
            "label_dim": state["class_emb.weight"].shape[0] - 1,
            "codec": CODEC | {"vocab_size": vocab_size, "z_channels": state["word_embed.weight"].shape[1]},
            "patch_nums": patch_nums,
            "depth": 1 + max(int(match[1]) for name in state if (match := re.match(r"blocks\.(\d+)\.", name))),
            "embed_dim": width,
            "num_heads": state["blocks.0.attn.scale_mul_1H11"].shape[1],
            "mlp_ratio": hidden // width if hidden % width == 0 else hidden / width,
            "shared_aln": "shared_ada_lin.1.weight" in state,
        }
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"a checkpoint of VAR without {error}; get it again") from None
    return state, architecture


def codec_from_published(content: object, architecture: Mapping) -> dict[str, np.ndarray]:
    """The tensors of the tokenizer as FoundationVision/VAR saves it. Its count of how often a code is hit stays out.

    Raises:
        InputError: it is none.
    """
    state = _state_dict(content, "quantize.embedding.weight", "model", "state_dict", "trainer.vae_local")
    if state is None:
        raise InputError("no tokenizer of VAR: there is no quantize.embedding.weight; get vae_ch160v4096z32.pth")
    return {name: tensor for name, tensor in state.items() if name != "quantize.ema_vocab_hit_SV"}


def published_architecture(checkpoint: str) -> dict:
    """That of VAR's checkpoint of the depth in its name, such as var_d16.pth: 512 pixels for d36, 256 for others."""
    match = re.search(r"_?d(\d+)", checkpoint)
    if match is None:
        raise InputError(
            f"base.architecture: not known before {checkpoint} is imported; give it, or import it first"
        )
    depth = int(match[1])
    return preset(depth, 512 if depth == 36 else 256)


def preset(depth: int, resolution: int) -> dict:
    """The architecture of a published model for ImageNet: 64 features a block deep; d36 shares its modulation."""
    return {
        "img_resolution": resolution,
        "img_channels": 3,
        "label_dim": 1000,
        "codec": dict(CODEC),
        "patch_nums": PATCH_NUMS[resolution],
        "depth": depth,
        "embed_dim": 64 * depth,
        "num_heads": depth,
        "mlp_ratio": 4,
        "shared_aln": depth == 36,
    }


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With FoundationVision/VAR, whose models are as wide as their depth says; with this library for others."""
    own = {key: value for key, value in architecture.items() if key != "family"}
    if own | preset(own["depth"], own["img_resolution"]) != own if own["img_resolution"] in PATCH_NUMS else True:
        return (
            "# with adaptive_neon\n"
            f"network = adaptive_neon.families.loading.build({dict(architecture)!r})\n"
            f"network.load_state_dict(torch.load({path!r}))"
        )
    return (
        "# with FoundationVision/VAR\n"
        "vae, var = models.build_vae_var(\n"
        f"    device='cuda', patch_nums={tuple(own['patch_nums'])}, num_classes={own['label_dim']},\n"
        f"    depth={own['depth']}, shared_aln={own['shared_aln']},\n"
        ")\n"
        "vae.load_state_dict(torch.load('vae_ch160v4096z32.pth'))\n"
        f"var.load_state_dict(torch.load({path!r}))"
    )


def _state_dict(content: object, tensor: str, *places: str) -> dict[str, np.ndarray] | None:
    """The dictionary that holds a tensor: the content itself, or what lies at one of the places in it."""
    for place in ("", *places):
        found = content
        for key in filter(None, place.split(".")):
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and tensor in found:
            return dict(found)
    return None
