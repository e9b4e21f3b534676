"""When merging equals guiding: the gap between D of the merged weights and the merged D, by noise level and block.

Neon, θ_r − w·(θ_s − θ_r), predicts what guidance, (1 + w)·D_r − w·D_s, predicts, if D is linear in the weights
between them. The first term of the difference is w·(1 + w)/2·∂²D[d, d] with d = θ_s − θ_r: it grows with the
square of the drift, while what both have in common, w·∂D[d], grows with the drift.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from adaptive_neon.families import family_of
from adaptive_neon.families.pixels import from_uint8
from adaptive_neon.families.sampling import away_from
from adaptive_neon.merging.extrapolation import Merged

IMAGES = 256  # real ones, on which the gap is measured
WHOLE = "whole network"  # beside its blocks
Tensors = Mapping[str, np.ndarray]


def gaps(
    predict: Callable[[Tensors], Sequence[Tensor]],
    base: Tensors,
    tuned: Tensors,
    w: float,
    block_of: Mapping[str, str],
) -> dict[str, dict[str, list[float]]]:
    """The gap of the whole network; and of each block, as if it alone had been moved by self-training.

    Args:
        predict: weights → what their network predicts of the same noisy images, at each noise level.
        base: θ_r.
        tuned: θ_s.
        block_of: weight → block.

    Returns:
        `whole network` and each block, if there are several → over the noise levels `gap`,
        ‖D_neon − ((1 + w)·D_r − w·D_s)‖/‖D_r‖, and `step`, ‖w·(D_r − D_s)‖/‖D_r‖, how far guidance goes.
    """
    blocks = list(dict.fromkeys(block_of.values()))
    moved = {WHOLE: blocks} | ({block: [block] for block in blocks} if len(blocks) > 1 else {})
    strong = predict(base)

    def at(weight: float, blocks_moved: Sequence[str]) -> Sequence[Tensor]:
        return predict(
            Merged(base, tuned, dict.fromkeys(blocks, 0.0) | dict.fromkeys(blocks_moved, weight), block_of)
        )

    found = {}
    for name, parts in moved.items():
        models = list(zip(strong, at(-1.0, parts), at(w, parts), strict=True))
        found[name] = {
            "gap": [_norm(neon - away_from(s, r, 1 + w)) / _norm(r) for r, s, neon in models],
            "step": [abs(w) * _norm(r - s) / _norm(r) for r, s, _ in models],
        }
    return found


def _norm(x: Tensor) -> float:
    return float(x.double().square().sum().sqrt())


def noisy_images(images: np.ndarray, labels: np.ndarray | None, seed: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Some real images y in [−1, 1], noise n for them, both [N, C, H, W], and their classes; all by the seed."""
    chosen = np.random.default_rng(seed).permutation(len(images))[:IMAGES]
    y = from_uint8(torch.from_numpy(images[chosen]))
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed))
    return y, noise, None if labels is None else torch.from_numpy(labels[chosen]).long()


@torch.inference_mode()
def predictions(
    network: nn.Module,
    architecture: Mapping,
    images: tuple[Tensor, Tensor, Tensor | None],
    levels: Sequence[float],
    batch: int,
) -> list[Tensor]:
    """What a network predicts at each of the noise levels (see `protocol.Family.predict`), on the CPU.

    Args:
        architecture: of the network.
        images: as `noisy_images` gives them.
        batch: images at a time.
    """
    predict, device = family_of(architecture).predict, next(network.parameters()).device
    y, noise, labels = (x if x is None else x.to(device).split(batch) for x in images)
    labels = [None] * len(y) if labels is None or not network.label_dim else labels
    return [
        torch.cat(
            [predict(network, *part[:2], level, part[2]).cpu() for part in zip(y, noise, labels, strict=True)]
        )
        for level in levels
    ]
