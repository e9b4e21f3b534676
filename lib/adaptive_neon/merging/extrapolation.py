"""The merge: negative extrapolation from the collapsed model, on plain arrays."""

from collections.abc import Mapping

import numpy as np

from adaptive_neon.errors import InputError


def merge(
    base: Mapping[str, np.ndarray],
    tuned: Mapping[str, np.ndarray],
    weights: Mapping[str, float],
    block_of: Mapping[str, str],
) -> dict[str, np.ndarray]:
    """θ = θ_r − w·(θ_s − θ_r), with one w per block (Neon, arXiv 2510.03597, eq. 1; a w per block: Adaptive Neon).

    Args:
        base: θ_r, parameter name → array of any shape.
        tuned: θ_s, the same names and shapes.
        weights: block → w. −1 gives θ_s, 0 gives θ_r, w > 0 extrapolates away from θ_s.
        block_of: weight name → block (see `blocks.assign_blocks`). A tensor without a block is no weight: it is
            θ_r's.

    Returns:
        θ under the same names, each array in the type of `base`. The arithmetic is done in float64, so
        that w = 0 and w = −1 give the inputs back.

    Raises:
        InputError: the two models differ in names or shapes, or a block has no weight.
    """
    require_same_network(base, tuned)
    merged = {}
    for name, theta_r in base.items():
        if name not in block_of:
            merged[name] = theta_r
            continue
        theta_s = tuned[name]
        if block_of[name] not in weights:
            raise InputError(f"weights: no weight for the block {block_of[name]}, which holds {name}")
        w = weights[block_of[name]]
        reference = theta_r.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # the result tells
            merged[name] = (reference - w * (theta_s.astype(np.float64) - reference)).astype(theta_r.dtype)
    return merged


def require_same_network(base: Mapping[str, np.ndarray], tuned: Mapping[str, np.ndarray]) -> None:
    """Raise an InputError unless both models have tensors of the same names and shapes."""
    if base.keys() != tuned.keys():
        raise InputError(f"base and tuned model differ: {min(base.keys() ^ tuned.keys())} is only in one of them")
    for name, theta_r in base.items():
        if theta_r.shape != tuned[name].shape:
            raise InputError(
                f"base and tuned model differ: {name} is {theta_r.shape} in one, {tuned[name].shape} in the other"
            )
