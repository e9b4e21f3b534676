"""The settings, blocks and folders of diffusers' models: all that can be known of the family without torch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.families.diffusers.folder import (
    LARGEST_TOKENIZER,
    MODELS,
    OPTIONAL_ENCODER,
    PIPELINES,
    TEXT_ENCODERS,
    TEXT_MODELS,
    current_name,
    folder_architecture,
    is_pipeline,
    pipeline_of,
    tokenizer_of,
    write_folder,
)
from adaptive_neon.families.diffusers.prompts import MOST
from adaptive_neon.families.guidance import SCALE
from adaptive_neon.families.networks.settings import (
    COUNT,
    FACTOR,
    IMAGES,
    POSITIVE,
    SHARE,
    UNET2D_BLOCKS,
    WIDTH,
    thirds,
)
from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.torch_files import plain_state_dict

__all__ = ["write_folder"]

# Those of diffusers that are interchangeable: they share their settings and predict noise, velocity or image.
SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
FLOW = "FlowMatchEulerDiscreteScheduler"  # of rectified flow, from which no other draws

_LAYERS = COUNT | {"maximum": 200}
_OPTIONAL = {"type": ["integer", "null"], "minimum": 1, "maximum": 100_000}
_NOTHING = {"type": "null"}
_WIDTHS = {"type": "array", "minItems": 1, "maxItems": 32, "items": WIDTH}
_BY_LEVEL = _WIDTHS | {"type": ["integer", "null", "array"], "minimum": 1}
_TYPES = {"type": "array", "minItems": 1, "maxItems": 32, "items": {"type": "string"}}
_BLOCKS = {
    "block_out_channels": _WIDTHS,
    "down_block_types": _TYPES,
    "up_block_types": _TYPES,
    "layers_per_block": _LAYERS,
    "in_channels": FACTOR,
}
_ENCODERS = {  # name → its possible classes
    name: sorted({encoders[name] for encoders in TEXT_ENCODERS.values() if name in encoders})
    for name in TEXT_ENCODERS["StableDiffusion3Pipeline"]
}
_ENCODER = {
    "vocab_size": COUNT | {"maximum": 1_000_000},
    "hidden_size": WIDTH,
    "intermediate_size": COUNT | {"maximum": 65_536},
    "num_hidden_layers": _LAYERS,
    "max_position_embeddings": COUNT | {"maximum": 1024},
    "projection_dim": WIDTH,
    "d_model": WIDTH,
    "d_kv": WIDTH,
    "d_ff": COUNT | {"maximum": 65_536},
    "num_layers": _LAYERS,
    "num_heads": COUNT | {"maximum": 256},
    "relative_attention_num_buckets": COUNT | {"maximum": 1024},
    "use_attention_mask": {"enum": [False, None]},
}
_FILES = {  # of a tokenizer, name → bytes
    "type": "object",
    "additionalProperties": False,
    "properties": {},
    "patternProperties": {
        r"^\w[\w.-]*\.(json|txt|model)\Z": {"type": "integer", "minimum": 0, "maximum": LARGEST_TOKENIZER}
    },
}


def _sections(properties: Mapping) -> dict:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _component(classes: Sequence[str], properties: Mapping) -> dict:
    """A configuration of a component: of what decides sizes, the limits; the rest is its class's to check."""
    return {
        "type": "object",
        "required": ["_class_name"],
        "properties": {"_class_name": {"enum": list(classes)}, **properties},
    }


SCHEMA = {
    "architecture": {
        "required": ["img_resolution", "img_channels", "label_dim", "model", "scheduler"],
        "properties": IMAGES
        | {
            "pipeline": {"enum": list(PIPELINES)},
            "model": _component(
                MODELS,
                _BLOCKS
                | {
                    "sample_size": COUNT | {"maximum": 1024},
                    "out_channels": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
                    "time_embedding_type": {"enum": ["positional"]},
                    "time_embedding_dim": _OPTIONAL,
                    "class_embed_type": _NOTHING,
                    "num_class_embeds": _OPTIONAL,
                    "num_embeds_ada_norm": _OPTIONAL,
                    "num_layers": _LAYERS,
                    "patch_size": COUNT | {"maximum": 256},
                    "num_attention_heads": _OPTIONAL | {"maximum": 256},
                    "attention_head_dim": _BY_LEVEL | {"maximum": 1024},
                    "cross_attention_dim": _OPTIONAL,
                    "joint_attention_dim": WIDTH,
                    "caption_projection_dim": WIDTH,
                    "pooled_projection_dim": WIDTH,
                    "pos_embed_max_size": COUNT | {"maximum": 4096},
                    "encoder_hid_dim_type": _NOTHING,
                    "time_cond_proj_dim": _NOTHING,
                    "addition_embed_type": {"enum": ["text_time", None]},
                    "transformer_layers_per_block": _BY_LEVEL | {"maximum": 200},
                },
            ),
            "scheduler": _component(
                (*SCHEDULERS, FLOW),
                {
                    "num_train_timesteps": COUNT | {"maximum": 100_000},
                    "prediction_type": {"enum": ["epsilon", "v_prediction", "sample"]},
                    "shift": POSITIVE,
                    "use_dynamic_shifting": {"enum": [False, None]},
                    "trained_betas": {"type": ["array", "null"], "maxItems": 100_000},
                },
            ),
            "codec": _component(
                ("AutoencoderKL", "VQModel"),
                _BLOCKS
                | {
                    "out_channels": FACTOR,
                    "latent_channels": FACTOR,
                    "num_vq_embeddings": COUNT | {"maximum": 1_000_000},
                    "vq_embed_dim": _OPTIONAL,
                },
            )
            | {"type": ["object", "null"]},
            "id2label": {"type": "object", "maxProperties": 100_000},
            "prompts": {"type": "array", "maxItems": MOST, "items": {"type": "string"}},
            "text_encoders": _sections(
                {name: _component(classes, _ENCODER) for name, classes in _ENCODERS.items()}
            ),
            "tokenizers": _sections({tokenizer_of(name): _FILES for name in _ENCODERS}),
            "force_zeros_for_empty_prompt": {"type": "boolean"},
        },
    },
    "sampler": {
        "required": ["steps"],
        "properties": {
            "steps": COUNT | {"maximum": 1000},
            "scheduler": {"enum": [*SCHEDULERS, FLOW]},
            "guidance": SCALE,
            "eta": {"type": "number", "minimum": 0, "maximum": 1},
            "timestep_spacing": {"enum": ["leading", "linspace", "trailing"]},
        },
    },
    "training": {
        "required": [],
        "properties": {
            "dropout": SHARE,
            "label_dropout": SHARE,
            "lora_rank": {"type": ["integer", "null"], "minimum": 1, "maximum": 1024},
        },
    },
}
SAMPLER = {"scheduler": "DDIMScheduler", "steps": 50}  # as the library draws from a DDIMPipeline
PUBLISHED = ()
STARTS_FROM_NOISE = True
LIBRARY = "diffusers"
ADAPTED = r".*\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"  # attention, as diffusers' own scripts adapt it

LABEL_DROPOUT = 0.1  # of a transformer whose training is silent, as DiT's authors trained


def contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    """Guidance of a network that knows no images without a class; settings that the scheduler does not have."""
    base, sampler = config["base"], config["sampler"]
    architecture = base["architecture"] or {}
    model, scheduler = architecture.get("model") or {}, architecture.get("scheduler") or {}
    if sampler.get("guidance", 1) != 1:
        if model.get("_class_name") == "UNet2DModel":
            yield "sampler.guidance", f"{sampler['guidance']}, but a UNet2DModel has no guidance; set it to 1"
        elif base["training"] and not base["training"].get("label_dropout", LABEL_DROPOUT):
            yield (
                "sampler.guidance",
                f"{sampler['guidance']} needs base.training.label_dropout above 0, to learn images without one",
            )
    name = sampler.get("scheduler", scheduler.get("_class_name"))
    if "eta" in sampler and name not in (None, "DDIMScheduler"):
        yield "sampler.eta", f"{sampler['eta']}, but only the DDIMScheduler has it, not the {name}; remove it"
    if (steps := sampler["steps"]) > (most := scheduler.get("num_train_timesteps", 1000)):
        yield "sampler.steps", f"{steps}, but the model was trained on {most} noise levels; use fewer"
    if base["training"] and model.get("_class_name") in TEXT_MODELS:
        yield "base.training", "a text-to-image model is not trained from nothing here; give base.checkpoint"
    if base["training"] and base["training"].get("lora_rank"):
        yield "base.training.lora_rank", "a model that is trained from nothing has no weights to adapt; remove it"
    if (config.get("finetune") or {}).get("lora_rank") and config["blocks"] == "by-depth":
        yield "blocks", "by-depth, but a LoRA moves no weight of embedding and head; set it to thirds"
    for key, training in (("base.training", base["training"]), ("finetune", config.get("finetune"))):
        if training and "label_dropout" in training and model.get("_class_name") == "UNet2DModel":
            yield f"{key}.label_dropout", "a UNet2DModel has no class for images without one; remove it"


def block_presets(architecture: Mapping | None) -> dict[str, dict[str, str]]:
    """Down, mid and up of a U-Net; the thirds of a transformer, with embedding and head beside or in them; all of
    them where it is unknown which."""
    model = (architecture or {}).get("model") or {}
    by_depth = {name: f"^transformer_{pattern}" for name, pattern in thirds(model.get("num_layers", 28)).items()}
    embedding, head = r"^(pos_embed|time_text_embed|context_embedder)\.", r"^(norm_out|proj_out(_\d)?)\."
    of_a_unet = {"down-mid-up": UNET2D_BLOCKS}
    of_a_transformer = {
        "by-depth": {"embedding": embedding, **by_depth, "head": head},
        "thirds": by_depth | {"early": f"{embedding}|{by_depth['early']}", "late": f"{by_depth['late']}|{head}"},
    }
    if name := model.get("_class_name"):
        return of_a_transformer if "Transformer" in name else of_a_unet
    return of_a_unet | of_a_transformer


def is_weight(name: str) -> bool:
    """All but the table of an SD3 transformer's positions; what else is no parameter is not kept in the files."""
    return name != "pos_embed.pos_embed"


def from_published(content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
    """There are no single files of this family: a model is the folder of a pipeline (see `models.imported`)."""
    raise RefusedError("is no folder of a diffusers pipeline")


def codec_from_published(content: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of an autoencoder in diffusers' names."""
    state = plain_state_dict(content, size)
    if not state or "decoder.conv_out.weight" not in state:
        raise RefusedError("holds no autoencoder of diffusers, which has a decoder.conv_out.weight")
    return {current_name(name): array for name, array in state.items()}


def published_architecture(checkpoint: str) -> dict:
    """That of a folder which is here."""
    if is_pipeline(checkpoint):
        return folder_architecture(Path(checkpoint))
    raise InputError(f"base.architecture: not known before {checkpoint} is imported; give it, or import it first")


def upstream_usage(architecture: Mapping, path: str) -> str:
    """With diffusers."""
    pipeline = pipeline_of(architecture)
    asked = {"DiTPipeline": "class_labels=[0]"}.get(pipeline, "")
    if prompts := architecture.get("prompts"):
        asked = repr(prompts[0])
    has_none = pipeline == "StableDiffusion3Pipeline" and OPTIONAL_ENCODER not in architecture["text_encoders"]
    without = ", text_encoder_3=None, tokenizer_3=None" if has_none else ""
    return (
        f"# with diffusers\npipeline = diffusers.{pipeline}.from_pretrained({path!r}{without})\n"
        f"images = pipeline({asked}).images"
    )
