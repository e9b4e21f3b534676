"""The merge: negative extrapolation from the collapsed model, on plain arrays."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from adaptive_neon.errors import InputError

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")


def extrapolate(theta_r: Array, theta_s: Array, w: float) -> Array:
    """θ = θ_r − w·(θ_s − θ_r) (Neon, arXiv 2510.03597, eq. 1), in the type and the memory of the arguments."""
    theta_s -= theta_r
    theta_s *= w
    theta_r -= theta_s
    return theta_r


class Merged(Mapping[str, np.ndarray]):
    """`extrapolate` with one w per block (Adaptive Neon), on whole models.

    A tensor is computed each time that it is asked for, so that of models that are files one tensor at a time is
    in memory. It has the type of θ_r's; the arithmetic is done in float64, so that w = 0 and w = −1 give the
    inputs back.

    Args:
        base: θ_r, parameter name → array of any shape.
        tuned: θ_s, the same names and shapes.
        weights: block → w. −1 gives θ_s, 0 gives θ_r, w > 0 extrapolates away from θ_s.
        block_of: weight name → block (see `blocks.assign_blocks`). A tensor without a block is no weight: it is
            θ_r's.

    Raises:
        InputError: the two models differ in names or shapes, or a block has no weight.
    """

    def __init__(
        self,
        base: Mapping[str, np.ndarray],
        tuned: Mapping[str, np.ndarray],
        weights: Mapping[str, float],
        block_of: Mapping[str, str],
    ):
        require_same_names(base, tuned)
        for name, block in block_of.items():
            if block not in weights:
                raise InputError(f"weights: no weight for the block {block}, which holds {name}")
        self.base, self.tuned, self.weights, self.block_of = base, tuned, weights, block_of

    def __getitem__(self, name: str) -> np.ndarray:
        theta_r = self.base[name]
        if name not in self.block_of:
            return theta_r
        theta_s, w = self.tuned[name], self.weights[self.block_of[name]]
        require_same_shape(name, theta_r, theta_s)
        reference = theta_r.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # the result tells
            return extrapolate(reference, theta_s.astype(np.float64), w).astype(theta_r.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self.base)

    def __len__(self) -> int:
        return len(self.base)


class Mean(Mapping[str, np.ndarray]):
    """The mean of several models, such as θ_s of several self-trainings: their directions θ_s − θ_r are averaged.

    A tensor is computed each time that it is asked for, in float64; it has the type of the first model's.

    Args:
        models: parameter name → array, at least one, all of the same names and shapes.
        weights: the names of the weights. All other tensors are the first model's.

    Raises:
        InputError: the models differ in names or shapes.
    """

    def __init__(self, models: Sequence[Mapping[str, np.ndarray]], weights: Collection[str]):
        for other in models[1:]:
            require_same_names(models[0], other)
        self.models, self.weights = models, set(weights)

    def __getitem__(self, name: str) -> np.ndarray:
        first, *others = (model[name] for model in self.models)
        if name not in self.weights:
            return first
        total = first.astype(np.float64)
        for other in others:
            require_same_shape(name, first, other)
            total += other
        return (total / len(self.models)).astype(first.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self.models[0])

    def __len__(self) -> int:
        return len(self.models[0])


def merge(
    base: Mapping[str, np.ndarray],
    tuned: Mapping[str, np.ndarray],
    weights: Mapping[str, float],
    block_of: Mapping[str, str],
) -> dict[str, np.ndarray]:
    """The whole of `Merged`, of the same arguments, in memory."""
    return dict(Merged(base, tuned, weights, block_of))


def require_same_network(base: Mapping[str, np.ndarray], tuned: Mapping[str, np.ndarray]) -> None:
    """Raise an InputError unless both models have tensors of the same names and shapes."""
    require_same_names(base, tuned)
    for name, theta_r in base.items():
        require_same_shape(name, theta_r, tuned[name])


def require_same_names(base: Mapping[str, np.ndarray], tuned: Mapping[str, np.ndarray]) -> None:
    """Raise an InputError unless both models have tensors of the same names."""
    if base.keys() != tuned.keys():
        raise InputError(f"base and tuned model differ: {min(base.keys() ^ tuned.keys())} is only in one of them")


def require_same_shape(name: str, theta_r: np.ndarray, theta_s: np.ndarray) -> None:
    """Raise an InputError unless a tensor has the same shape in both models."""
    if theta_r.shape != theta_s.shape:
        raise InputError(
            f"base and tuned model differ: {name} is {theta_r.shape} in one, {theta_s.shape} in the other"
        )
