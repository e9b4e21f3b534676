"""The training set of a generation, composed of real images and of images of the generations before."""

from collections.abc import Sequence

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.loops.plan import Regime

Images = tuple[np.ndarray, np.ndarray | None]  # uint8 [N, H, W, C] and the class of each, or None


def compose(
    regime: Regime, real: Images, synthetic: Sequence[Images], size: int, generation: int, seed: int
) -> Images:
    """The images that a generation is trained on, and their classes.

    - `replace`: the images of the generation before.
    - `accumulate`: all real images and all of all generations before.
    - `subsample`: `size` of these, drawn anew in each generation.
    - `fixed`: round(share·size) real images, the same in each generation, and images of the generation before.
    - `fresh`: the same, where no real image comes twice.

    Args:
        synthetic: of the generations `regime.sources(generation)`, in their order.
        size: of the set, except of `replace` and `accumulate`.
        generation: 1 for the first.
        seed: of the choice among the images; the same for all generations of a loop.

    Raises:
        InputError: there are fewer real images, or fewer of the generations before, than the set needs.
    """
    if regime.data == "replace":
        return synthetic[-1]
    if regime.data == "accumulate":
        return _join([real, *synthetic])
    if regime.data == "subsample":
        pool = _join([real, *synthetic])
        _require(len(pool[0]), size, "images so far")
        return _take(pool, np.random.default_rng([seed, generation]).choice(len(pool[0]), size, replace=False))
    count = round(regime.real * size)
    first = (generation - 1) * count if regime.data == "fresh" else 0
    _require(len(real[0]), first + count, f"real images that the regime {regime.name} takes")
    order = np.random.default_rng(seed).permutation(len(real[0]))
    _require(len(synthetic[-1][0]), size - count, "images of the generation before")
    return _join([_take(real, order[first : first + count]), _take(synthetic[-1], np.arange(size - count))])


def _require(there: int, needed: int, what: str) -> None:
    if there < needed:
        raise InputError(f"loop: {there} {what}, but {needed} are needed; lower loop.images or the share")


def _take(images: Images, indices: np.ndarray) -> Images:
    return images[0][indices], None if images[1] is None else images[1][indices]


def _join(sets: Sequence[Images]) -> Images:
    images, labels = zip(*sets, strict=True)
    return np.concatenate(images), None if any(part is None for part in labels) else np.concatenate(labels)
