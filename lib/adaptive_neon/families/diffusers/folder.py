"""Folders of diffusers' pipelines, in and out: their configurations are data, of which nothing is executed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from adaptive_neon.errors import InputError, shown
from adaptive_neon.jobs.files import read_json, replacing

INDEX = "model_index.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
MODELS = ("UNet2DModel", "DiTTransformer2DModel")
# Class of the pipeline → the folders of what is fine-tuned and of the frozen codec.
PIPELINES: dict[str, dict[str, str]] = {
    "DDPMPipeline": {"model": "unet"},
    "DDIMPipeline": {"model": "unet"},
    "LDMPipeline": {"model": "unet", "codec": "vqvae"},
    "DiTPipeline": {"model": "transformer", "codec": "vae"},
}
# The names that diffusers once had for the layers of an attention.
FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

FORMER_ARGUMENTS = (
    "cross_attention_dim",
    "double_self_attention",
    "num_vector_embeds",
    "only_cross_attention",
    "use_linear_projection",
)


def is_pipeline(path: str | Path) -> bool:
    """Whether a path is the folder of a pipeline."""
    return (Path(path) / INDEX).is_file()


def folder_architecture(folder: Path) -> dict:
    """The architecture of the pipeline in a folder, with the name of the family.

    Raises:
        InputError: a file is damaged, or the pipeline is none that is studied here.
    """
    index = _object(folder / INDEX)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in PIPELINES:
        raise InputError(f"{folder}: a {shown(pipeline)}; of diffusers' pipelines give a {' or '.join(PIPELINES)}")
    configs = {}
    for part, name in ({"scheduler": "scheduler"} | PIPELINES[pipeline]).items():
        if not isinstance(entry := index.get(name), list) or entry[:1] != ["diffusers"]:
            raise InputError(f"{folder / INDEX}: {name} is {shown(entry)}, of which only diffusers' own is read")
        file = "scheduler_config.json" if part == "scheduler" else "config.json"
        configs[part] = _public(_object(folder / name / file))
        if configs[part].get("_class_name") != entry[-1]:
            raise InputError(
                f"{folder / name / file}: of a {shown(configs[part].get('_class_name'))}, but {INDEX} says "
                f"{shown(entry[-1])}; get both again"
            )
    model, codec = _renamed(configs["model"]), configs.get("codec")
    configs["model"] = model
    if model["_class_name"] not in MODELS:
        raise InputError(f"{folder}: its {shown(model['_class_name'])} is not known; use {' or '.join(MODELS)}")
    try:
        sizes = images_of(model, codec)
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder}: its configurations don't say the size of the images ({error})") from None
    labels = {"id2label": index["id2label"]} if isinstance(index.get("id2label"), dict) else {}
    return {"family": "diffusers", **sizes, "pipeline": pipeline, **configs, **labels}


def _renamed(model: Mapping) -> dict:
    """A DiT's configuration from before it was a class of its own, as of that class."""
    if model["_class_name"] != "Transformer2DModel" or model.get("norm_type") != "ada_norm_zero":
        return dict(model)
    return {key: value for key, value in model.items() if key not in FORMER_ARGUMENTS} | {
        "_class_name": "DiTTransformer2DModel"
    }


def images_of(model: Mapping, codec: Mapping | None) -> dict[str, int]:
    """Size, channels and classes of the images that a model draws, through its codec where it has one.

    Raises:
        KeyError, TypeError: the configurations don't say so.
    """
    return {
        "img_resolution": model["sample_size"] * (2 ** (len(codec["block_out_channels"]) - 1) if codec else 1),
        "img_channels": (codec or model)["in_channels"],
        "label_dim": model.get("num_class_embeds") or model.get("num_embeds_ada_norm") or 0,
    }


def pipeline_of(architecture: Mapping) -> str:
    """The class of the pipeline that holds a model: its own, or the one for its components."""
    if architecture.get("pipeline"):
        return architecture["pipeline"]
    if architecture["model"]["_class_name"] == "DiTTransformer2DModel":
        return "DiTPipeline"
    return "LDMPipeline" if architecture.get("codec") else "DDPMPipeline"


def current_name(name: str) -> str:
    """The name of a tensor as diffusers has it today."""
    return re.sub(
        rf"(attentions\.\d+)\.({'|'.join(FORMER)})\.", lambda match: f"{match[1]}.{FORMER[match[2]]}.", name
    )


def write_folder(
    folder: Path,
    architecture: Mapping,
    tensors: Mapping[str, np.ndarray],
    codec: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
) -> None:
    """Write a model as the folder of its pipeline, which `from_pretrained` opens.

    Args:
        tensors: of the model.
        codec: the tensors of its codec, empty if it has none.
        metadata: of the model's file.
    """
    pipeline = pipeline_of(architecture)
    names = PIPELINES[pipeline]
    index = {"_class_name": pipeline, "scheduler": ["diffusers", architecture["scheduler"]["_class_name"]]}
    for part, name in names.items():
        index[name] = ["diffusers", architecture[part]["_class_name"]]
        _write(folder / name / "config.json", architecture[part])
        with replacing(folder / name / WEIGHTS) as temporary:
            arrays = {"model": tensors, "codec": codec}[part]
            about = {"format": "pt"} | (dict(metadata) if part == "model" else {})
            save_file({key: np.asarray(array, order="C") for key, array in arrays.items()}, temporary, about)
    _write(folder / "scheduler/scheduler_config.json", architecture["scheduler"])
    if architecture.get("id2label"):
        index["id2label"] = architecture["id2label"]
    _write(folder / INDEX, index)


def _write(path: Path, value: Mapping) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(dict(value), indent=2, sort_keys=True) + "\n")


def _public(config: Mapping) -> dict:
    """Without what the library notes for itself, such as its version."""
    return {key: value for key, value in config.items() if key == "_class_name" or not key.startswith("_")}


def _object(path: Path) -> dict:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: no JSON object; get it again")
    return content
