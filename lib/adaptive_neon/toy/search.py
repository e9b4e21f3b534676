"""Gradient-based search of the weights: the distance is a smooth function of one number per block."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.merging.grid import Point, point_name
from adaptive_neon.toy.gaussian import frechet_distance, stream
from adaptive_neon.toy.network import Family, Model, stack
from adaptive_neon.toy.study import merged_distances, sample_moments

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def objective(family: Family, base: Model, tuned: Model, draws: torch.Tensor) -> Objective:
    """w [blocks] → (Fréchet distance, its gradient [blocks]), with the same draws at every call.

    The gradient goes backward through distance and sampler to θ, and from there to w by the slope of the merge,
    which is affine in w.
    """
    blocks = list(family.blocks)
    block_of = assign_blocks(base, family.blocks)
    at_one, at_zero = (merge(base, tuned, dict.fromkeys(blocks, w), block_of) for w in (1.0, 0.0))
    slope = {name: at_one[name].astype(np.float64) - at_zero[name] for name in base}

    def evaluate(weights: np.ndarray) -> tuple[float, np.ndarray]:
        merged = merge(base, tuned, dict(zip(blocks, weights, strict=True)), block_of)
        theta = {name: tensor.requires_grad_() for name, tensor in stack([merged]).items()}
        distance = frechet_distance(*sample_moments(family, theta, draws)).squeeze()
        gradient = dict.fromkeys(blocks, 0.0)
        for name, part in zip(theta, torch.autograd.grad(distance, list(theta.values())), strict=True):
            gradient[block_of[name]] += float((part[0].numpy() * slope[name]).sum())
        return distance.item(), np.array(list(gradient.values()))

    return evaluate


@dataclass(frozen=True)
class Optimum:
    """Where a search ended. An evaluation is one distance together with its gradient."""

    point: Point
    distance: float
    evaluations: int


def minimise(
    distance: Objective, blocks: Sequence[str], start: Mapping[str, float], bounds: tuple[float, float]
) -> Optimum:
    """The local minimum that L-BFGS-B reaches from `start`, every weight within `bounds`."""
    found = minimize(
        distance,
        [start[block] for block in blocks],
        jac=True,
        method="L-BFGS-B",
        bounds=[bounds] * len(blocks),
    )
    point = {block: float(w) for block, w in zip(blocks, found.x, strict=True)}
    return Optimum(point, float(found.fun), int(found.nfev))


def gradient_search(
    family: Family,
    base: Model,
    tuned: Model,
    center: float,
    starts: int,
    bounds: tuple[float, float],
    samples: int,
    verification: int,
    seed: int,
) -> list[dict]:
    """The optima reached from w* = `center` and from `starts` random points, on the draws of the layer-wise grid.

    Returns:
        For each start {"start": point, "point", "search": distance on the `samples` of the search, "distance":
        that on `verification` samples, "evaluations", "seconds": CPU time of the search}.
    """
    blocks = list(family.blocks)
    distance = objective(family, base, tuned, family.draws(samples, stream(seed, "search")))
    uniform = torch.rand(starts, len(blocks), generator=stream(seed, "starts"), dtype=torch.float64)
    low, high = bounds
    first = [[center] * len(blocks), *(low + (high - low) * uniform).tolist()]
    optima = []
    for weights in first:
        start = dict(zip(blocks, weights, strict=True))
        before = time.process_time()
        found = minimise(distance, blocks, start, bounds)
        seconds = time.process_time() - before
        optima.append(
            {
                "start": start,
                "point": found.point,
                "search": found.distance,
                "evaluations": found.evaluations,
                "seconds": seconds,
            }
        )
    draws = family.draws(verification, stream(seed, "verification"))
    verified = merged_distances(family, base, tuned, [entry["point"] for entry in optima], draws)
    for entry in optima:
        entry["distance"] = verified[point_name(entry["point"])]
    return optima
