"""Folders of diffusers' pipelines, in and out: their configurations are data, of which nothing is executed."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from adaptive_neon.errors import InputError, shown
from adaptive_neon.jobs.files import read_json, replacing
from adaptive_neon.jobs.foreign import reading

INDEX = "model_index.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
MODELS = ("UNet2DModel", "DiTTransformer2DModel", "UNet2DConditionModel", "SD3Transformer2DModel")
TEXT_MODELS = MODELS[2:]  # which take encodings of prompts
# Class of the pipeline → the folders of what is fine-tuned and of the frozen codec.
PIPELINES: dict[str, dict[str, str]] = {
    "DDPMPipeline": {"model": "unet"},
    "DDIMPipeline": {"model": "unet"},
    "LDMPipeline": {"model": "unet", "codec": "vqvae"},
    "DiTPipeline": {"model": "transformer", "codec": "vae"},
    "StableDiffusionPipeline": {"model": "unet", "codec": "vae"},
    "StableDiffusionXLPipeline": {"model": "unet", "codec": "vae"},
    "StableDiffusion3Pipeline": {"model": "transformer", "codec": "vae"},
}
# Of those that draw from prompts, the folders of the frozen text encoders and their classes.
TEXT_ENCODERS: dict[str, dict[str, str]] = {
    "StableDiffusionPipeline": {"text_encoder": "CLIPTextModel"},
    "StableDiffusionXLPipeline": {
        "text_encoder": "CLIPTextModel",
        "text_encoder_2": "CLIPTextModelWithProjection",
    },
    "StableDiffusion3Pipeline": {
        "text_encoder": "CLIPTextModelWithProjection",
        "text_encoder_2": "CLIPTextModelWithProjection",
        "text_encoder_3": "T5EncoderModel",
    },
}
OPTIONAL_ENCODER = "text_encoder_3"
TOKENIZER_CLASSES = ("CLIPTokenizer", "CLIPTokenizerFast")
T5_TOKENIZER_CLASSES = ("T5TokenizerFast", "T5Tokenizer")
PROMPTS = "prompts.txt"  # of an improved model, in its folder
# How the pipelines draw where nothing else is said.
SAMPLERS = {
    "StableDiffusionPipeline": {"steps": 50, "guidance": 7.5},
    "StableDiffusionXLPipeline": {"steps": 50, "guidance": 5.0},
    "StableDiffusion3Pipeline": {"steps": 28, "guidance": 7.0},
}
LARGEST_TOKENIZER = 2**25  # bytes of its files; CLIP's have 4 MB
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
    """The architecture of the pipeline in a folder, with the name of the family, but without prompts.

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
    text = _text(folder, pipeline, index) if pipeline in TEXT_ENCODERS else {}
    if pipeline == "StableDiffusionPipeline":  # so its constructor corrects older files
        configs["scheduler"] |= {"steps_offset": 1, "clip_sample": False}
    return {"family": "diffusers", **sizes, "pipeline": pipeline, **configs, **labels, **text}


def tokenizer_of(encoder: str) -> str:
    """The folder of the tokenizer of a text encoder."""
    return encoder.replace("text_encoder", "tokenizer")


def _tokenizer_classes(tokenizer: str) -> tuple[str, ...]:
    return T5_TOKENIZER_CLASSES if tokenizer == tokenizer_of(OPTIONAL_ENCODER) else TOKENIZER_CLASSES


def _text(folder: Path, pipeline: str, index: Mapping) -> dict:
    """The configurations of the text encoders, and the files of their tokenizers, name → bytes."""
    encoders, tokenizers = {}, {}
    for encoder, cls in TEXT_ENCODERS[pipeline].items():
        tokenizer = tokenizer_of(encoder)
        if encoder == OPTIONAL_ENCODER and index.get(encoder) in (None, [None, None]):
            continue
        for name, known in ((encoder, (cls,)), (tokenizer, _tokenizer_classes(tokenizer))):
            entry = index.get(name)
            if entry not in [["transformers", cls] for cls in known]:
                raise InputError(
                    f"{folder / INDEX}: {name} is {shown(entry)}, of which only a {' or '.join(known)} is read"
                )
        encoders[encoder] = _object(folder / encoder / "config.json") | {"_class_name": cls}
        with reading(folder / tokenizer, "a tokenizer"):
            files = sorted(f for f in (folder / tokenizer).iterdir() if f.suffix in (".json", ".txt", ".model"))
            sizes = {file.name: file.stat().st_size for file in files if file.name[0] != "."}
        if not 0 < sum(sizes.values()) <= LARGEST_TOKENIZER:
            raise InputError(
                f"{folder / tokenizer}: files of {sum(sizes.values()):,} bytes, of at most {LARGEST_TOKENIZER:,}; "
                "get the tokenizer again"
            )
        tokenizers[tokenizer] = sizes
    zeros = {"force_zeros_for_empty_prompt": index.get("force_zeros_for_empty_prompt", True)}
    return {"text_encoders": encoders, "tokenizers": tokenizers} | (zeros if "XL" in pipeline else {})


def _renamed(model: Mapping) -> dict:
    """A DiT's configuration from before it was a class of its own, as of that class."""
    if model["_class_name"] != "Transformer2DModel" or model.get("norm_type") != "ada_norm_zero":
        return dict(model)
    return {key: value for key, value in model.items() if key not in FORMER_ARGUMENTS} | {
        "_class_name": "DiTTransformer2DModel"
    }


def images_of(model: Mapping, codec: Mapping | None, prompts: Sequence[str] = ()) -> dict[str, int]:
    """Size, channels and classes of the images that a model draws, through its codec where it has one.

    Prompts are classes.

    Raises:
        KeyError, TypeError: the configurations don't say so.
    """
    return {
        "img_resolution": model["sample_size"] * (2 ** (len(codec["block_out_channels"]) - 1) if codec else 1),
        "img_channels": (codec or model)["in_channels"],
        "label_dim": model.get("num_class_embeds") or model.get("num_embeds_ada_norm") or len(prompts),
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
        codec: the tensors of its codec, empty if it has none; with text encoders and tokenizers, if it has such.
        metadata: of the model's file.
    """
    pipeline = pipeline_of(architecture)
    names = PIPELINES[pipeline]
    index = {"_class_name": pipeline, "scheduler": ["diffusers", architecture["scheduler"]["_class_name"]]}
    parts = {"model": tensors, "codec": codec}
    write_prompts(folder, architecture)
    if pipeline in TEXT_ENCODERS:
        index |= _write_text(folder, architecture, codec)
        parts["codec"] = _under("vae", codec)
    for part, name in names.items():
        index[name] = ["diffusers", architecture[part]["_class_name"]]
        _write(folder / name / "config.json", architecture[part])
        _write_weights(folder / name / WEIGHTS, parts[part], metadata if part == "model" else {})
    _write(folder / "scheduler/scheduler_config.json", architecture["scheduler"])
    if architecture.get("id2label"):
        index["id2label"] = architecture["id2label"]
    _write(folder / INDEX, index)


def write_prompts(folder: Path, architecture: Mapping) -> None:
    """Write the prompts of a text-to-image model, if it is one, where `models.imported.read_model` finds them."""
    if prompts := architecture.get("prompts"):
        with replacing(folder / PROMPTS) as temporary:
            temporary.write_text("".join(f"{prompt}\n" for prompt in prompts), encoding="utf-8")


def _write_text(folder: Path, architecture: Mapping, codec: Mapping[str, np.ndarray]) -> dict:
    """Write text encoders and tokenizers; the index says so, and that the images are not filtered."""
    index = {}
    for name, config in architecture["text_encoders"].items():
        index[name] = ["transformers", config["_class_name"]]
        _write(folder / name / "config.json", {key: config[key] for key in config.keys() - {"_class_name"}})
        _write_weights(folder / name / "model.safetensors", _under(name, codec), {})
    for name, sizes in architecture["tokenizers"].items():
        index[name] = ["transformers", _tokenizer_classes(name)[0]]
        for file, content in tokenizer_files(sizes, codec[name]).items():
            with replacing(folder / name / file) as temporary:
                temporary.write_bytes(content)
    return {
        "StableDiffusionPipeline": {"requires_safety_checker": False},
        "StableDiffusionXLPipeline": {key: architecture.get(key) for key in ("force_zeros_for_empty_prompt",)},
        "StableDiffusion3Pipeline": {key: [None, None] for key in ("text_encoder_3", "tokenizer_3")},
    }[architecture["pipeline"]] | index


def _under(prefix: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of a part of a codec, in the part's own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in tensors.items() if name.startswith(start)}


def tokenizer_files(sizes: Mapping[str, int], content: np.ndarray) -> dict[str, bytes]:
    """The files of a tokenizer, which a codec holds as one array of bytes."""
    ends = np.cumsum(list(sizes.values()))
    return {
        name: content[end - size : end].tobytes() for (name, size), end in zip(sizes.items(), ends, strict=True)
    }


def _write_weights(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> None:
    with replacing(path) as temporary:
        contiguous = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        save_file(contiguous, temporary, {"format": "pt"} | dict(about))


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
