"""How sure a difference of two FIDs is: the jackknife over blocks of seeds (Efron 1982), and replicas.

FID of n images is too high by about a/n, and by more for the model whose images vary more, so two models are
compared by their *corrected* FIDs: the target is the difference of the distances at n → ∞. Models that sample
the same seeds are compared block by block, so that what the seeds have in common cancels. The reference is
taken as exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from adaptive_neon.metrics import GramDistance, Moments, Reference, frechet_distance


class Interval(NamedTuple):
    """An estimate, and the interval around it at some level of confidence."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class BlockedFid:
    """FID of n images, and of the same without each of K blocks of equal size."""

    full: float
    without: np.ndarray  # [K]

    @property
    def pseudo_values(self) -> np.ndarray:
        """K·full − (K − 1)·without [K]: about as independent as the blocks; the mean is free of bias a/n."""
        blocks = len(self.without)
        return blocks * self.full - (blocks - 1) * self.without


def delete_one_block_fids(reference: Reference, blocks: Sequence[Moments]) -> BlockedFid | None:
    """FID of all K blocks together and without each, from the moments of each block; None if one diverged."""
    total = sum(blocks[1:], start=blocks[0])
    full = frechet_distance(reference, total)
    if full is None:
        return None
    return BlockedFid(full, np.array([frechet_distance(reference, total - block) for block in blocks]))


def delete_one_block_fids_of_features(
    reference: Reference, features: np.ndarray, blocks: int
) -> BlockedFid | None:
    """The same from features [N, D] in the order of their seeds, cut into K = `blocks` runs of seeds.

    With fewer images than features all K + 1 distances come from one N × N Gram matrix.
    """
    if len(features) > reference.root.shape[1]:
        return delete_one_block_fids(reference, [Moments(part) for part in np.array_split(features, blocks)])
    distance = GramDistance(reference, features)
    full = distance(slice(None))
    if full is None:
        return None
    block_of = np.repeat(np.arange(blocks), [len(part) for part in np.array_split(features, blocks)])
    return BlockedFid(full, np.array([distance(block_of != block) for block in range(blocks)]))


def mean_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's interval for the mean of R ≥ 2 independent values, with R − 1 degrees of freedom."""
    mean = float(np.mean(values))
    half = stdtrit(len(values) - 1, (1 + level) / 2) * np.std(values, ddof=1) / np.sqrt(len(values))
    return Interval(mean, float(mean - half), float(mean + half))


def difference(a: BlockedFid, b: BlockedFid, level: float = 0.95) -> Interval:
    """Paired interval for a − b, both corrected for bias; the blocks of a and b are of the same seeds."""
    return mean_interval(a.pseudo_values - b.pseudo_values, level)


def wider(a: Interval, b: Interval) -> Interval:
    """The wider of two intervals: over blocks of seeds, and over replicas of the self-training."""
    return max(a, b, key=lambda interval: interval.high - interval.low)


def verdict(gain: Interval) -> str:
    """What an interval of FID global − FID blockwise says of the blockwise model."""
    if gain.low > 0:
        return "better"
    if gain.high < 0:
        return "worse"
    return "not distinguishable"
