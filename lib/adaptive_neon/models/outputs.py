"""A merged model in the form of its base: a file, or a folder with the base's shards and its other files."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import check_new_folder, check_output, replacing, replacing_folder
from adaptive_neon.merging.grid import Point
from adaptive_neon.models.card import model_card
from adaptive_neon.models.opening import INDEX, TORCH, Component, Model, index_json
from adaptive_neon.models.pairs import Blocks, Pair
from adaptive_neon.models.recipe import RECIPE, UNREAD, recipe, source, sources_beside
from adaptive_neon.models.stored import change_metadata, stream_tensors
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
    """Write the merged model, a piece of a tensor at a time, while the sources' sha256 are computed.

    Raises:
        InputError: a tensor is not finite, or the disk is full; nothing is left under the name.
    """
    base, pairs = merge.base, {pair.name: pair for pair in merge.pairs}
    tensors = {name: merge.tensors(pair) for name, pair in pairs.items()}
    with sources_beside(base, merge.tuned) as sources:
        draft = [source(model, lambda file: UNREAD) for model in (base, merge.tuned)]
        metadata = {RECIPE: _as_text(_recipe(merge, draft))}
        if base.is_file:
            ((name, theta),) = tensors.items()
            with replacing(output) as temporary:
                stream_tensors(temporary, theta, _metadata(pairs[name].theta_r) | metadata)
                change_metadata(temporary, {RECIPE: _as_text(_recipe(merge, sources()))})
            return
        with folder_like(base, output, tensors, metadata) as folder:
            about = _recipe(merge, sources())
            for name in tensors:
                for file in base.components[name].files:
                    change_metadata(folder / safetensors_name(file), {RECIPE: _as_text(about)})
            describe(folder, about, model_card(Path(output).name, about, base.folder))


def _recipe(merge: Merge, sources: Sequence[dict]) -> dict:
    return recipe(sources, merge.pairs, merge.blocks, merge.point)


def _as_text(about: Mapping) -> str:
    return json.dumps(about, ensure_ascii=False, sort_keys=True)


@contextmanager
def folder_like(
    base: Model,
    output: str | Path,
    tensors: Mapping[str, Mapping[str, Tensor]],
    metadata: Mapping[str, str],
) -> Iterator[Path]:
    """Write a folder in the form of a base model: its files, its shards, and all that is not merged as it is.

    Args:
        tensors: component → name → tensor, of the components that are merged.
        metadata: that their files gain.

    Yields:
        The folder, which is yet to be described, and then takes its final name.
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
        yield folder


def describe(folder: Path, about: Mapping, card: str) -> None:
    """Put the recipe and the card of a merged model in its folder, in place of the base model's card."""
    (folder / RECIPE_FILE).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n")
    (folder / CARD).write_text(card)


def _write_component(
    folder: Path, component: Component, tensors: Mapping[str, Tensor], about: Mapping[str, str]
) -> None:
    files = {
        safetensors_name(file): {name: tensors[name] for name in stored}
        for file, stored in component.files.items()
    }
    for file, stored in files.items():
        stream_tensors(folder / file, stored, _metadata(component) | about)
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
