"""VAR's settings, block presets and published files: all that can be known of the family without torch."""

import re
from collections.abc import Iterator, Mapping

from adaptive_neon.errors import InputError
from adaptive_neon.families.guidance import SCALE, guidance_contradictions
from adaptive_neon.families.networks.settings import COUNT, DIT, IMAGES, SHARE, WIDTH, thirds
from adaptive_neon.families.var.published import DEPTHS, STRIDE, codec_from_published, from_published, preset

__all__ = ["codec_from_published", "from_published"]  # of the file formats (see `published`)

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
            "guidance": SCALE,
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
STARTS_FROM_NOISE = False  # codes are drawn from categories


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """The tokenizer's arguments, the order of the scales, and guidance without what it needs of the training."""
    architecture = config["base"]["architecture"] or {}
    if codec := architecture.get("codec"):
        own = CODECS[codec["model_type"]]
        for key in sorted(set(codec) - {"model_type", "vocab_size", *own}):
            yield f"base.architecture.codec.{key}", f"no argument of {codec['model_type']}; remove it"
        for key in sorted(set(own) - set(codec)):
            yield f"base.architecture.codec.{key}", f"missing; {codec['model_type']} needs it"
    patch_nums = architecture.get("patch_nums", [])
    if patch_nums != sorted(patch_nums):
        yield "base.architecture.patch_nums", f"{patch_nums} do not rise; sort them"
    yield from guidance_contradictions(config, label_dropout=0)


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """Embeddings (a shared modulation layer with them), the blocks in thirds, the head; or by kind of layer."""
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


def codec_stride(codec: Mapping) -> int:
    """Pixels a token of the last scale."""
    return STRIDE if codec["model_type"] == "VQVAE" else codec["patch_size"]


def z_channels(codec: Mapping, img_channels: int) -> int:
    """Length of a code vector."""
    return codec["z_channels"] if codec["model_type"] == "VQVAE" else img_channels * codec["patch_size"] ** 2


def published_architecture(checkpoint: str) -> dict:
    """That of VAR's checkpoint of the depth in its name, such as var_d16.pth: 512 pixels for d36, else 256."""
    match = re.search(r"VAR_?d(\d+)", checkpoint, re.IGNORECASE)
    if match is None or int(match[1]) not in DEPTHS:
        raise InputError(
            f"base.architecture: not known before {checkpoint} is imported; give it, or import it first"
        )
    return preset(int(match[1]))


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With FoundationVision/VAR, if it has such a model; else with this library."""
    own = {"mlp_ratio": 4, "shared_aln": False} | dict(architecture)
    own.pop("family", None)
    if own | {"label_dim": 1000} != preset(own["depth"]):
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
