"""The gradient method: weights of many blocks, or of every layer, by stochastic gradient descent on the FID.

A merge θ_r − w·(θ_s − θ_r) is affine in w, and images, features and FID are differentiable in θ. Few seeds that
are kept would be fitted with all their accidents, so each step draws further ones. Images that no step draws check
the weights on the way.

The Fréchet distance F is a function of the mean μ and the covariance Σ of the features φ, so its slope in w is
that of the mean over images of

    ∂F/∂μ · φ + (φ − μ)ᵀ ∂F/∂Σ (φ − μ)

with ∂F/∂μ, ∂F/∂Σ and μ held fixed. They are taken from the images of the steps before. Those of a batch alone
would descend the FID of so few images, whose bias, about a/n, rewards weights that make images of little variance.
And the mean over images is summed in parts, whose graphs are let go one by one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import cos, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from adaptive_neon.errors import InputError
from adaptive_neon.evaluation.distances import (
    Moments,
    ReferenceStatistics,
    delete_one_block_fids_of_features,
    frechet_slope,
)
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.search.surface import DIGITS
from adaptive_neon.statistics.jackknife import JackknifeReplicates

KEPT = 0.8  # a step, of the images so far
CHECKS = 5  # of the way, beside the start
BETAS = (0.5, 0.99)  # of Adam: the kept images are momentum enough, and its default outlasts a short search

Features = Callable[[Tensor, Sequence[int]], Iterator[Tensor]]


@dataclass(frozen=True)
class Check:
    """The weights [B] after so many steps, rounded as they are drawn, and their FID on images of no step."""

    step: int
    weights: list[float]
    fid: JackknifeReplicates


class MergedNetwork(nn.Module):
    """θ_r − w·(θ_s − θ_r) with its gradient in w. For all else the network is θ_r.

    A sampler evaluates it many times: of each evaluation only the inputs are kept for the way back, on which it is
    evaluated again.

    Args:
        network: of the architecture of both, with θ_r.
        drift: weight name → θ_s − θ_r.
        place: weight name → where its block's weight stands in w.
        w: [B].
    """

    def __init__(self, network: nn.Module, drift: Mapping[str, Tensor], place: Mapping[str, int], w: Tensor):
        super().__init__()
        self.network = network
        theta_r = network.state_dict()
        self.tensors = {name: theta_r[name] - w[place[name]].to(drift[name].dtype) * drift[name] for name in drift}

    def __getattr__(self, name: str) -> object:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.network, name)

    def forward(self, *args: object, **kwargs: object) -> Tensor:
        def evaluate(*args: object) -> Tensor:
            return torch.func.functional_call(self.network, self.tensors, args, kwargs)

        return checkpoint(evaluate, *args, use_reentrant=False)


def merged_features(
    network: nn.Module,
    drift: Mapping[str, Tensor],
    place: Mapping[str, int],
    draw: Callable[[nn.Module, Sequence[int]], Tensor],
    extract: Callable[[Tensor], Tensor],
    batch: int,
) -> Features:
    """The features of a merged model's images, differentiable in w.

    Args:
        network, drift, place: as of `MergedNetwork`.
        draw: differentiable images of some seeds (see `protocol.Family.draw`).
        extract: their features (see `features.load_differentiable`).
        batch: images at a time.
    """

    def features(w: Tensor, seeds: Sequence[int]) -> Iterator[Tensor]:
        for first in range(0, len(seeds), batch):
            yield extract(draw(MergedNetwork(network, drift, place, w), seeds[first : first + batch]))

    return features


def descend(
    features: Features,
    check: Callable[[list[float]], np.ndarray],
    reference: ReferenceStatistics,
    start: Sequence[float],
    seeds: Sequence[int],
    steps: int,
    lr: float,
    seed_blocks: int,
    rolling: RollingCheckpoint | None = None,
    progress: Callable[[int], object] = lambda images: None,
) -> list[Check]:
    """Adam from `start`, with a rate that falls to 0 along half a cosine; the weights at each fifth of the way.

    Args:
        features: (w [B], seeds) → features [n, D] of their images, in parts, differentiable in w.
        check: weights [B] → features [N, D] of images that no step draws, always of the same seeds; empty if
            the model diverges.
        reference: of the real images.
        start: weights [B].
        seeds: of all steps together, an equal share in each.
        steps: at least 1.
        lr: about the longest step of a weight.
        seed_blocks: of the images that no step draws.
        rolling: from where a job that was killed continues.
        progress: called with the number of images of each step.

    Returns:
        The first is at the start. Where the model diverges they end.

    Raises:
        InputError: the model diverges at the start.
    """
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([w], betas=BETAS)
    moments, checks, first = Moments(), [], 0
    if rolling and (state := rolling.load()):
        first, w.data = state["step"], state["w"]
        adam.load_state_dict(state["adam"])
        moments = _moments(*state["moments"])
        checks = [
            Check(step, of, JackknifeReplicates(fid, without.numpy()))
            for step, of, fid, without in state["checks"]
        ]
    share = len(seeds) // steps
    progress(first * share)
    for step in range(first, steps + 1):
        if step in {round(steps * part / CHECKS) for part in range(CHECKS + 1)}:
            weights = [round(weight, DIGITS) + 0.0 for weight in w.tolist()]
            found = check(weights)
            fid = delete_one_block_fids_of_features(reference, found, seed_blocks) if len(found) else None
            if fid is None:
                break
            checks.append(Check(step, weights, fid))
            moments = moments if moments.n else Moments(found)
        if step == steps:
            break
        by_mean, by_covariance = frechet_slope(reference, moments)
        batch = Moments()
        adam.zero_grad()
        for part in features(w, seeds[step * share : (step + 1) * share]):
            if not len(part):
                break
            found = part.detach().cpu().numpy()
            slope = (by_mean + 2 * (found - moments.mean) @ by_covariance) / share
            part.backward(torch.from_numpy(slope).to(part))
            batch.update(found)
        if batch.n < share or not torch.isfinite(w.grad).all():
            break
        moments = _moments(KEPT * moments.n, moments.mean, KEPT * moments.scatter) + batch
        adam.param_groups[0]["lr"] = lr * (1 + cos(pi * step / steps)) / 2
        adam.step()
        progress(share)
        if rolling:
            rolling.save_if_due(partial(_state, step + 1, w, adam, moments, checks))
    if not checks:
        raise InputError("search: the best single weight diverges; use smaller grid.weights or less self-training")
    return checks


def _moments(n: float, mean: np.ndarray | Tensor, scatter: np.ndarray | Tensor) -> Moments:
    moments = Moments()
    moments.n, moments.mean, moments.scatter = n, np.asarray(mean), np.asarray(scatter)
    return moments


def _state(step: int, w: Tensor, adam: torch.optim.Adam, moments: Moments, checks: Sequence[Check]) -> dict:
    return {
        "step": step,
        "w": w.detach(),
        "adam": adam.state_dict(),
        "moments": [moments.n, torch.from_numpy(moments.mean), torch.from_numpy(moments.scatter)],
        "checks": [(one.step, one.weights, one.fid.full, torch.from_numpy(one.fid.without)) for one in checks],
    }
