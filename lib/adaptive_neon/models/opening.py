"""The forms in which models are kept: a file, shards with an index, a folder of diffusers or transformers.

A model has *components*, the networks of a pipeline by the names of their folders; a model that is one network has
one, whose name is empty. Nothing is loaded but names, types and shapes.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from adaptive_neon.errors import InputError, shown
from adaptive_neon.families.pickles import MAX_ENTRIES, MAX_NAME, RefusedError
from adaptive_neon.families.published import read_published
from adaptive_neon.families.torch_files import read_torch_file
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.foreign import reading
from adaptive_neon.models.stored import read_header
from adaptive_neon.models.tensors import Held, Tensor

TORCH = (".bin", ".pt", ".pth", ".ckpt")
INDEX = re.compile(r"(?P<stem>[^.]+)\.(?P<form>safetensors|bin)\.index(?P<variant>\.\w+)?\.json")
USUAL = (
    "diffusion_pytorch_model",
    "model",
    "pytorch_model",
)  # how diffusers and transformers call a network's file
SHARD = re.compile(r"\w[\w.+-]*\.(safetensors|bin)", re.ASCII)  # a plain name, which leads to no other folder
STATE_DICTS = ("state_dict", "model", "model_ema", "ema", "module", "params")  # keys of files that hold more


@dataclass(frozen=True)
class Component:
    """One network: its tensors by the file that holds them.

    Attributes:
        files: file, relative to the model's folder → tensor's name → tensor.
        index: of the shards, relative as well; None if one file holds all.
        metadata: of the first file.
    """

    files: Mapping[Path, Mapping[str, Tensor]]
    index: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {name: tensor for tensors in self.files.values() for name, tensor in tensors.items()}


@dataclass(frozen=True)
class Model:
    """A model as it is kept.

    Attributes:
        path: as the user gave it.
        folder: that all relative paths start from.
        components: by name.
        others: further files, which a merge copies.
        left_out: files with the same networks in another form, which a merge leaves out.
        read_from: the files of weights, where they are not those of the components, as of a LoRA.
    """

    path: Path
    folder: Path
    components: Mapping[str, Component]
    others: tuple[Path, ...] = ()
    left_out: tuple[Path, ...] = ()
    read_from: tuple[Path, ...] = ()

    @property
    def sources(self) -> list[Path]:
        """The files that its weights are read from, relative."""
        return list(self.read_from) or [file for c in self.components.values() for file in c.files]

    @property
    def is_file(self) -> bool:
        """Whether all of it is one file."""
        return self.path.is_file() and not any(component.index for component in self.components.values())


def open_model(path: str | Path) -> Model:
    """The model at a path: of a file, of the index of shards, or of a folder.

    Raises:
        InputError: there is none, it is damaged, or its files name others outside its folder.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    with reading(path, "a checkpoint"):
        os.stat(path)
    name = Path(path.name)
    component = _shards(path.parent, name) if path.suffix == ".json" else _single(path.parent, name)
    return Model(path, path.parent, {"": component})


def _open_folder(path: Path) -> Model:
    pipeline = (path / "model_index.json").exists()
    folders = sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    components: dict[str, Component] = {}
    weights: set[Path] = set()
    for name in folders if pipeline else [""]:
        networks = _networks(path, Path(name))
        if networks:
            chosen = networks[0]
            components[name] = _shards(path, chosen) if chosen.suffix == ".json" else _single(path, chosen)
            weights |= {chosen, *components[name].files}
    files = [file for file in _all_files(path) if file not in weights]
    other_forms = {file for file in files if file.suffix in (".safetensors", *TORCH) or INDEX.fullmatch(file.name)}
    if not components:
        raise InputError(f"{path}: holds no weights in safetensors or of torch; give the folder of a model")
    return Model(
        path, path, components, tuple(f for f in files if f not in other_forms), tuple(sorted(other_forms))
    )


def _networks(root: Path, folder: Path) -> list[Path]:
    """The files that a network could be read from, the one to read first: those that its library looks for before
    others, safetensors before torch's, whole before variants, such as `.fp16`; a shard is none."""
    names = sorted(os.listdir(root / folder))
    indices = [name for name in names if INDEX.fullmatch(name)]
    shard = re.compile(r".*-\d{5}-of-\d{5}\.\w+")
    files = [n for n in names if Path(n).suffix in (".safetensors", ".bin") and not shard.fullmatch(n)]
    return sorted(
        (folder / name for name in (*indices, *files)),
        key=lambda file: (
            file.name.partition(".")[0] not in USUAL,
            ".bin" in file.name,
            _variant(file.name),
            file,
        ),
    )


def _variant(name: str) -> bool:
    match = INDEX.fullmatch(name)
    return bool(match["variant"]) if match else name.count(".") > 1


def _all_files(root: Path) -> Iterator[Path]:
    """The regular files of a folder, relative; what is hidden, such as a download's cache, is not part of it."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith("."):
                continue
            if not file.is_file():
                raise InputError(f"{file}: no file that can be copied; remove it")
            yield file.relative_to(root)


def _single(root: Path, file: Path) -> Component:
    tensors, metadata = read_file(root / file)
    return Component({file: tensors}, metadata=metadata)


def _shards(root: Path, index: Path) -> Component:
    content = read_json(root / index)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not 0 < len(names) <= MAX_ENTRIES:
        raise InputError(f"{root / index}: no index of shards, an object with a `weight_map`; get it again")
    for shard in names.values():
        if type(shard) is not str or not SHARD.fullmatch(shard):
            raise InputError(f"{root / index}: {shown(shard)} is no file beside it; use an index that you trust")
    files: dict[Path, Mapping[str, Tensor]] = {}
    metadata: Mapping[str, str] = {}
    for shard in dict.fromkeys(names.values()):
        file = index.with_name(shard)
        files[file], found = read_file(root / file)
        metadata = metadata or found
        named = {name for name, where in names.items() if where == shard}
        if differing := sorted(named ^ files[file].keys()):
            raise InputError(
                f"{root / file}: {shown(differing[0])} is only in one of this shard and {index.name}; get both"
            )
    return Component(files, index, metadata)


def read_file(path: Path) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """The tensors of one file, of safetensors or of torch, and its metadata.

    Raises:
        InputError: it is neither.
    """
    if path.suffix in TORCH:
        return _state_dict(path), {}
    if path.suffix == ".pkl":
        tensors, architecture = read_published(path)
        held = {name: Held(path, torch.from_numpy(np.asarray(array))) for name, array in tensors.items()}
        return held, {"architecture": json.dumps(architecture, sort_keys=True)}
    if path.suffix != ".safetensors":
        raise InputError(
            f"{path}: of no form that is read here; give a .safetensors, {', '.join(TORCH)} or a folder"
        )
    return read_header(path)


def _state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a torch file: of a state dict, or of the only one in it."""
    with reading(path, "a checkpoint of torch"):
        try:
            content = read_torch_file(path, exact=True)
        except RefusedError as error:
            raise InputError(f"{path}: {error}; convert it to safetensors where you trust it") from error
        found = {"": _arrays(content)}
        if not found[""] and isinstance(content, dict):
            found |= {str(key): _arrays(content[key]) for key in content if key in STATE_DICTS}
        found = {key: arrays for key, arrays in found.items() if arrays}
        if len(found) != 1:
            said = f"several networks ({', '.join(found)})" if found else "no state dict"
            raise InputError(f"{path}: holds {said}; save the one that you mean as a file of its own")
        return {name: Held(path, _tensor(array)) for name, array in next(iter(found.values())).items()}


def _arrays(content: object) -> dict[str, np.ndarray]:
    """The tensors of a state dict; none if the content is something else."""
    if not isinstance(content, dict) or len(content) > MAX_ENTRIES:
        return {}
    arrays = {name: array for name, array in content.items() if type(array) is np.ndarray}
    return arrays if all(type(name) is str and len(name) <= MAX_NAME for name in arrays) else {}


def _tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype.names is None:
        return torch.from_numpy(array)
    name = array.dtype.names[0]  # a type that NumPy lacks (see `read_torch_file`)
    return torch.from_numpy(array[name]).view(getattr(torch, name))


def index_json(files: Mapping[Path, Mapping[str, Tensor]], total: int) -> str:
    """The index of shards, as diffusers and transformers write it."""
    names = {name: file.name for file, tensors in files.items() for name in tensors}
    return (
        json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(names.items()))}, indent=2) + "\n"
    )
