"""A LoRA as θ_s: each weight is the base's plus the product of two factors (Hu et al. 2021, arXiv 2106.09685).

Files of peft, diffusers and of kohya's scripts, which ComfyUI reads as well; convolutions as in LoCon.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from adaptive_neon.errors import InputError, shown
from adaptive_neon.jobs.files import read_json
from adaptive_neon.models.opening import Component, Model, open_model, read_file
from adaptive_neon.models.tensors import Tensor, whole

# The names of the two factors: of rank r from the inputs, and from rank r to the outputs.
DOWN, UP = ("lora_A", "lora_down"), ("lora_B", "lora_up")
_FACTOR = re.compile(rf"(?P<module>.+)\.(?P<factor>{'|'.join(DOWN + UP)})(\.default)?\.weight")
_ALPHA = re.compile(r"(?P<module>.+)\.alpha")
PEFT = "adapter_config.json"
# What the names of a component's modules start with; kohya's scripts put _ for each dot.
PREFIXES = {"unet": ("unet.",), "transformer": ("transformer.",)}
KOHYA = {
    "unet": ("lora_unet_",),
    "transformer": ("lora_transformer_", "lora_unet_"),
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
}


@dataclass(frozen=True)
class Adapted:
    """W + s·B·A of one weight, float64 where it is read."""

    path: Path
    base: Tensor
    down: torch.Tensor  # A, [r, n]
    up: torch.Tensor  # s·B, [m, r]

    @property
    def dtype(self) -> torch.dtype:
        return self.base.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape

    def read(self, start: int, stop: int) -> torch.Tensor:
        columns = self.down.shape[1]
        first, last = start // columns, -(-stop // columns)
        product = (self.up[first:last] @ self.down).reshape(-1)
        return self.base.read(start, stop).double() + product[start - first * columns : stop - first * columns]


def open_tuned(path: str | Path, base: Model) -> Model:
    """θ_s: a model, or a LoRA of the base model.

    Raises:
        InputError: it is neither, or the LoRA names what the base model lacks.
    """
    path = Path(path)
    if (path / PEFT).is_file():
        file, scale = path / "adapter_model.safetensors", _scale_of_peft(path / PEFT)
    elif path.is_file() and path.suffix == ".safetensors":
        file, scale = path, None
    else:
        return open_model(path)
    tensors, metadata = read_file(file)
    if not any(_FACTOR.fullmatch(name) for name in tensors):
        return open_model(path)
    return _adapted(path, file, base, tensors, scale or _scale_of_diffusers(metadata))


def _scale_of_peft(path: Path) -> float:
    config = read_json(path)
    special = ("rank_pattern", "alpha_pattern", "use_dora")
    try:
        if any(config.get(key) for key in special):
            raise InputError(f"{path}: {' or '.join(special)} is set, which is not read here; merge it with peft")
        rank = config["r"]
        return float(config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank))
    except (TypeError, KeyError, AttributeError, ArithmeticError, ValueError) as error:
        raise InputError(
            f"{path}: no configuration of a LoRA ({type(error).__name__}); write it with peft"
        ) from None


def _scale_of_diffusers(metadata: Mapping[str, str]) -> float | None:
    """α/r of the metadata that diffusers writes beside its LoRA; None if there are none."""
    try:
        config = json.loads(metadata["lora_adapter_metadata"])
        component = next(key.partition(".")[0] for key in config if key.endswith(".r"))
        return float(config[f"{component}.lora_alpha"] / config[f"{component}.r"])
    except Exception:  # text of anyone
        return None


@dataclass
class _Pair:
    down: Tensor | None = None
    up: Tensor | None = None
    alpha: float | None = None


def _adapted(path: Path, file: Path, base: Model, tensors: Mapping[str, Tensor], scale: float | None) -> Model:
    pairs = _pairs(file, tensors)
    components = {}
    for name, component in base.components.items():
        files = {
            stored_in: {n: _adapt(file, n, t, pairs, name, scale) for n, t in stored.items()}
            for stored_in, stored in component.files.items()
        }
        components[name] = Component(files, component.index, component.metadata)
    if pairs:
        raise InputError(f"{file}: {shown(min(pairs))} is no module of {base.path}; give a LoRA of this model")
    changed = {name: c for name, c in components.items() if _changed(base.components[name], c)}
    return Model(path, file.parent, changed, read_from=(Path(file.name),))


def _changed(before: Component, after: Component) -> bool:
    return any(after.tensors[name] is not tensor for name, tensor in before.tensors.items())


def _pairs(file: Path, tensors: Mapping[str, Tensor]) -> dict[str, _Pair]:
    """The factors by the name of their module."""
    pairs: dict[str, _Pair] = {}
    for name, tensor in tensors.items():
        if match := _FACTOR.fullmatch(name):
            pair = pairs.setdefault(match["module"], _Pair())
            if match["factor"] in DOWN:
                pair.down = tensor
            else:
                pair.up = tensor
        elif match := _ALPHA.fullmatch(name):
            pairs.setdefault(match["module"], _Pair()).alpha = float(whole(tensor).double())
        else:
            raise InputError(f"{file}: {shown(name)} is no factor of a LoRA; other kinds are not read here")
    for module, pair in pairs.items():
        if pair.down is None or pair.up is None:
            raise InputError(f"{file}: {shown(module)} has not both of its factors; get it again")
    return pairs


def _adapt(
    file: Path, name: str, base: Tensor, pairs: dict[str, _Pair], component: str, scale: float | None
) -> Tensor:
    """The weight with its LoRA, which is taken from the pairs; the same weight if it has none."""
    if not name.endswith(".weight"):
        return base
    key = next((key for key in _keys(name.removesuffix(".weight"), component) if key in pairs), None)
    if key is None:
        return base
    pair = pairs.pop(key)
    assert pair.down is not None and pair.up is not None
    down, up = (whole(factor).double() for factor in (pair.down, pair.up))
    if down.ndim < 2 or up.ndim < 2:
        raise InputError(f"{file}: the factors of {shown(key)} are no matrices; get it again")
    down, up = down.flatten(1), up.flatten(1)
    rank, rows, columns = len(down), math.prod(base.shape[:1]), math.prod(base.shape[1:])
    if len(base.shape) < 2 or (up.shape, down.shape) != ((rows, rank), (rank, columns)) or not rank:
        raise InputError(
            f"{file}: the factors of {shown(key)} don't fit {name}, {base.shape}; give a LoRA of this model"
        )
    if pair.alpha is not None:
        scale = pair.alpha / rank
    return Adapted(file, base, down, up * (1.0 if scale is None else scale))


def _keys(module: str, component: str) -> Iterator[str]:
    """What a module may be called in a LoRA."""
    yield module
    yield f"base_model.model.{module}"
    for name in [component] if component else PREFIXES:
        yield from (prefix + module for prefix in PREFIXES.get(name, (f"{name}.",)))
        yield from (prefix + module.replace(".", "_") for prefix in KOHYA.get(name, ()))
