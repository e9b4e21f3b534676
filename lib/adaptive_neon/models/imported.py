"""Models and codecs of the families: from the files of `families.checkpoints`, and from folders of diffusers.

Such a folder is also what an improved model is written like.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from adaptive_neon.errors import InputError
from adaptive_neon.families import checkpoints, name_of
from adaptive_neon.families.architecture import check
from adaptive_neon.families.checkpoints import Checkpoint, require_finite
from adaptive_neon.families.diffusers.folder import (
    PIPELINES,
    PROMPTS,
    SAMPLERS,
    current_name,
    folder_architecture,
    is_pipeline,
    tokenizer_of,
    write_prompts,
)
from adaptive_neon.families.diffusers.prompts import read_prompts
from adaptive_neon.families.diffusers.text import is_kept, published_name, tokens
from adaptive_neon.jobs.files import sha256_of
from adaptive_neon.models.opening import Component, open_model
from adaptive_neon.models.outputs import describe, folder_like
from adaptive_neon.models.tensors import Held, Tensor, whole


class Arrays(Mapping[str, np.ndarray]):
    """The tensors of a network as arrays, floats as float32, each read when it is asked for."""

    def __init__(self, component: Component):
        self.tensors: dict[str, Tensor] = {current_name(name): t for name, t in component.tensors.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = whole(self.tensors[name])
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


def read_model(path: str | Path, prompts: str | Path | None = None) -> Checkpoint:
    """A model from elsewhere: what `checkpoints.read_model` reads, or the folder of a diffusers pipeline.

    The metadata gain `source` and `sha256`: the name, and the digest of the file or of a folder's list of files,
    with the prompts.

    Args:
        prompts: the text file of a text-to-image model, if they are not those in its folder.

    Raises:
        InputError: no such file or folder, or not a model.
    """
    path = Path(path)
    if not is_pipeline(path):
        if prompts:
            raise InputError(f"{prompts}: only a folder of diffusers takes prompts, not {path}; give none")
        return checkpoints.read_model(path)
    architecture = folder_architecture(path)
    file = _prompts_file(path, architecture, prompts)
    if file:
        lines = read_prompts(file)
        architecture |= {"prompts": lines, "label_dim": len(lines)}
    check(path, architecture)
    component = _component(path, PIPELINES[architecture["pipeline"]]["model"])
    tensors = Arrays(component)
    require_finite(path, tensors, tensors)
    metadata = {"sampler": json.dumps(SAMPLERS[architecture["pipeline"]])} if file else {}
    metadata |= {key: component.metadata[key] for key in ("sampler",) if key in component.metadata}  # of a study
    origin = {"source": path.resolve().name, "sha256": _digest(path, file)}
    return Checkpoint(tensors, architecture, metadata | origin)


def _prompts_file(path: Path, architecture: Mapping, given: str | Path | None) -> Path | None:
    """The prompts of a text-to-image model: the file that is given, or that in the folder of an improved model."""
    if "text_encoders" not in architecture:
        if given:
            raise InputError(f"{given}: a {architecture['pipeline']} takes no prompts; give none")
        return None
    if not given and not (path / PROMPTS).is_file():
        raise InputError(
            f"{path}: a {architecture['pipeline']} draws from prompts; give a text file with one a line, "
            "base.prompts, on the command line --prompts FILE"
        )
    return Path(given or path / PROMPTS)


def find_codec(model: str | Path, given: str | Path | None, architecture: Mapping) -> list[Path]:
    """The codec of a model: as `checkpoints.find_codec` finds it, or in the model's own folder."""
    inside = is_pipeline(model) and not given and architecture.get("codec")
    return [Path(model)] if inside else checkpoints.find_codec(model, given, architecture)


def read_codec(path: str | Path, architecture: Mapping) -> Mapping[str, np.ndarray]:
    """The tensors of the frozen codec of a model: what `checkpoints.read_codec` reads, or of a pipeline's folder.

    Args:
        architecture: of the model.

    Raises:
        InputError: it is no codec of the model's family, or another than the model's.
    """
    path = Path(path)
    if name_of(architecture) != "diffusers" or not is_pipeline(path):
        return checkpoints.read_codec(path, architecture)
    found = folder_architecture(path)
    check(path, found)
    if any(found.get(key) != architecture.get(key) for key in ("codec", "text_encoders", "tokenizers")):
        raise InputError(f"{path}: its autoencoder is not the one of the model; give the folder of the model")
    autoencoder = Arrays(_component(path, PIPELINES[found["pipeline"]]["codec"]))
    return _with_text(path, autoencoder, architecture) if "text_encoders" in architecture else autoencoder


def write_like_base(
    output: str | Path,
    folder: Path,
    base: Checkpoint,
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
    recipe: Mapping,
    card: str,
    prompts: str | Path | None = None,
) -> None:
    """Write an improved model like the folder of diffusers that its base model came from, in the same types.

    Args:
        base: what `read_model` made of the folder.
        tensors: of the improved model, by the names of the base model's.
        metadata: that its files gain.
        recipe, card: beside them (see `outputs.describe`).
        prompts: with which `read_model` read it.

    Raises:
        InputError: folder or prompts have changed since, or the tensors leave the range of its types.
    """
    if _digest(folder, _prompts_file(folder, base.architecture, prompts)) != base.metadata["sha256"]:
        raise InputError(f"{folder}: is no longer the base model of the study; put that back, or start again")
    name = PIPELINES[base.architecture["pipeline"]]["model"]
    stored = _component(folder, name).tensors
    rounded = {name: _rounded(name, tensors[current_name(name)], like) for name, like in stored.items()}
    with folder_like(open_model(folder), output, {name: rounded}, metadata) as written:
        describe(written, recipe, card)
        write_prompts(written, base.architecture)


def _rounded(name: str, array: np.ndarray, like: Tensor) -> Held:
    tensor = torch.from_numpy(np.asarray(array)).to(like.dtype)
    if not bool(torch.isfinite(tensor.float()).all()):
        raise InputError(
            f"{like.path}: {name} of the improved model leaves the range of {tensor.dtype}; "
            "start from the base model in a wider type"
        )
    return Held(like.path, tensor)


def _with_text(path: Path, autoencoder: Mapping[str, np.ndarray], architecture: Mapping) -> dict[str, np.ndarray]:
    """The tensors of a `text.TextToImage`."""
    tensors = {f"vae.{name}": array for name, array in autoencoder.items()}
    for encoder, config in architecture["text_encoders"].items():
        tokenizer = tokenizer_of(encoder)
        for name, array in Arrays(_component(path, encoder)).items():
            if is_kept(name):
                tensors[f"{encoder}.{published_name(name, config['_class_name'])}"] = array
        tensors[f"{encoder}_tokens"] = tokens(path / tokenizer, config, architecture["prompts"])
        content = b"".join(
            (path / tokenizer / file).read_bytes() for file in architecture["tokenizers"][tokenizer]
        )
        tensors[tokenizer] = np.frombuffer(bytearray(content), np.uint8)
    return tensors


def _component(path: Path, name: str) -> Component:
    component = open_model(path).components.get(name)
    if component is None:
        raise InputError(f"{path / name}: holds no weights; get the folder again")
    return component


def _digest(folder: Path, prompts: Path | None) -> str:
    """One number for what is read of a model: sha256 of the list of its files with their sha256."""
    model = open_model(folder)
    configs = [file for file in model.others if file.suffix in (".json", ".model") or file.name == "merges.txt"]
    listed = {str(file): sha256_of(folder / file) for file in sorted([*model.sources, *configs])}
    listed |= {"prompts": sha256_of(prompts)} if prompts else {}
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
