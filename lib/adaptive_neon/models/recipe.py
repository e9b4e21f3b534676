"""What a merged model was made of, as it carries it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from adaptive_neon.jobs.files import sha256_of
from adaptive_neon.merging.grid import Point

if TYPE_CHECKING:  # they import torch, which a merge of two models of a family does without
    from adaptive_neon.models.opening import Model
    from adaptive_neon.models.pairs import Blocks, Pair

RECIPE = "recipe"  # key of the metadata of a file


def recipe(base: "Model", tuned: "Model", pairs: Sequence["Pair"], blocks: "Blocks", point: Point | None) -> dict:
    """What makes the same again: sources, blocks, weights, version. It reads all files of weights."""
    with ThreadPoolExecutor() as pool:
        theta_r, theta_s = pool.map(source, (base, tuned))
    return {
        "formula": "θ = θ_r − w·(θ_s − θ_r)" if point else "θ_s − θ_r",
        "base": theta_r,
        "tuned": theta_s,
        "preset": blocks.preset,
        "blocks": dict(blocks.patterns),
        "weights": dict(point) if point else None,
        "components": [pair.name for pair in pairs if pair.name],
        "version": own_version(),
    }


def source(model: "Model") -> dict:
    """The name of a model, and the sha256 of each file of weights."""
    files = {str(file): sha256_of(model.folder / file) for file in model.sources}
    return {"name": model.path.resolve().name, "sha256": next(iter(files.values())) if model.is_file else files}


def own_version() -> str:
    """This program's."""
    try:
        return f"adaptive-neon {version('adaptive-neon')}"
    except PackageNotFoundError:  # the library on the path without being installed
        return "adaptive-neon"
