"""What a merged model was made of, as it carries it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from adaptive_neon.jobs.files import sha256_of
from adaptive_neon.merging.grid import Point

if TYPE_CHECKING:  # they import torch, which a merge of two models of a family does without
    from adaptive_neon.models.opening import Model
    from adaptive_neon.models.pairs import Blocks, Pair

RECIPE = "recipe"  # key of the metadata of a file
UNREAD = "0" * 64  # of a file whose sha256 is not known yet


def recipe(sources: Sequence[dict], pairs: Sequence["Pair"], blocks: "Blocks", point: Point | None) -> dict:
    """What makes the same again: sources, blocks, weights, version.

    Args:
        sources: θ_r and θ_s (see `source`).
    """
    theta_r, theta_s = sources
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


def source(model: "Model", digest: Callable[[Path], str] = sha256_of) -> dict:
    """The name of a model, and the sha256 of each file of weights."""
    files = {str(file): digest(model.folder / file) for file in model.sources}
    return {"name": model.path.resolve().name, "sha256": next(iter(files.values())) if model.is_file else files}


@contextmanager
def sources_beside(*models: "Model") -> Iterator[Callable[[], list[dict]]]:
    """Read all files of weights while the block works: yields what waits for their `source`s."""
    with ThreadPoolExecutor(len(models)) as pool:
        found = pool.map(source, models)
        yield lambda: list(found)


def own_version() -> str:
    """This program's."""
    try:
        return f"adaptive-neon {version('adaptive-neon')}"
    except PackageNotFoundError:  # the library on the path without being installed
        return "adaptive-neon"
