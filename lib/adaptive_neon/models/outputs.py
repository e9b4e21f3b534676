"""A merged model in the form of its base: a file, or a folder with the base's shards and its other files."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import check_new_folder, check_output, replacing_folder
from adaptive_neon.merging.grid import Point
from adaptive_neon.models.card import model_card
from adaptive_neon.models.opening import INDEX, TORCH, Component, Model, index_json
from adaptive_neon.models.pairs import Blocks, Pair
from adaptive_neon.models.recipe import RECIPE, recipe
from adaptive_neon.models.stored import write_tensors
from adaptive_neon.models.tensors import Extrapolated, Tensor, nbytes

RECIPE_FILE = "neon.json"  # in a folder
CARD = "README.md"


@dataclass(frozen=True)
class Merge:
    """All that a merged model is made of."""

    base: Model
    tuned: Model
    pairs: list[Pair]
    blocks: Blocks
    point: Point

    def tensors(self, pair: Pair) -> dict[str, Tensor]:
        """θ of one component, computed when it is read."""
        block_of = self.blocks.block_of[pair.name]
        theta_s = pair.theta_s.tensors
        return {
            name: Extrapolated(name, theta_r, theta_s[name], self.point[block_of[name]])
            if name in block_of
            else theta_r
            for name, theta_r in pair.theta_r.tensors.items()
        }


def check_destination(output: str, base: Model, tuned: str) -> None:
    """Check before any work that the merged model can be written there, in the form of its base.

    Args:
        tuned: path of θ_s, which is read as well.

    Raises:
        InputError: it cannot.
    """
    if base.is_file:
        check_output(output, ".safetensors", reads=(str(base.path), tuned))
        return
    check_new_folder(output)
    inside = Path(output).resolve()
    if base.folder.resolve() in (inside, *inside.parents):
        raise InputError(f"{output}: lies in the model that is merged; give a folder elsewhere")


def write_merged(output: str | Path, merge: Merge) -> None:
    """Write the merged model, a piece of a tensor at a time.

    Raises:
        InputError: a tensor is not finite, or the disk is full; nothing is left under the name.
    """
    about = recipe(merge.base, merge.tuned, merge.pairs, merge.blocks, merge.point)
    text = json.dumps(about, ensure_ascii=False, sort_keys=True)
    pairs = {pair.name: pair for pair in merge.pairs}
    if merge.base.is_file:
        (pair,) = merge.pairs
        write_tensors(output, merge.tensors(pair), _metadata(pair.theta_r) | {RECIPE: text})
        return
    tensors = {name: merge.tensors(pair) for name, pair in pairs.items()}
    card = model_card(Path(output).name, about, merge.base.folder)
    write_like(output, merge.base, tensors, {RECIPE: text}, about, card)


def write_like(
    output: str | Path,
    base: Model,
    tensors: Mapping[str, Mapping[str, Tensor]],
    metadata: Mapping[str, str],
    recipe: Mapping,
    card: str,
) -> None:
    """Write a folder in the form of a base model: its files, its shards, and all that is not merged as it is.

    Args:
        tensors: component → name → tensor, of the components that are merged.
        metadata: that their files gain.
        recipe: for the file `RECIPE_FILE`.
        card: in place of the base model's.
    """
    with replacing_folder(output) as folder:
        for name, component in base.components.items():
            if name in tensors:
                _write_component(folder, component, tensors[name], metadata)
            else:
                for file in (*component.files, *([component.index] if component.index else [])):
                    _copy(base.folder, folder, file)
        for file in base.others:
            _copy(base.folder, folder, file)
        (folder / RECIPE_FILE).write_text(json.dumps(recipe, ensure_ascii=False, indent=1) + "\n")
        (folder / CARD).write_text(card)


def _write_component(
    folder: Path, component: Component, tensors: Mapping[str, Tensor], about: Mapping[str, str]
) -> None:
    files = {
        safetensors_name(file): {name: tensors[name] for name in stored}
        for file, stored in component.files.items()
    }
    for file, stored in files.items():
        write_tensors(folder / file, stored, _metadata(component) | about)
    if component.index:
        total = sum(map(nbytes, tensors.values()))
        (folder / safetensors_name(component.index)).write_text(index_json(files, total))


def safetensors_name(file: Path) -> Path:
    """The name of a file of torch as one of safetensors, as diffusers and transformers look for it."""
    if file.suffix not in TORCH and not (INDEX.fullmatch(file.name) and ".bin." in file.name):
        return file
    name = file.name.replace(".bin", ".safetensors") if ".bin" in file.name else f"{file.stem}.safetensors"
    return file.with_name(
        "model" + name.removeprefix("pytorch_model") if name.startswith("pytorch_model") else name
    )


def _metadata(component: Component) -> dict[str, str]:
    """What the base says of its format and network; what is of that file alone is left out."""
    return {"format": "pt"} | {k: v for k, v in component.metadata.items() if k not in ("checksum", RECIPE)}


def _copy(source: Path, destination: Path, file: Path) -> None:
    (destination / file).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / file, destination / file)
