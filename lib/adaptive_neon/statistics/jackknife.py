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

LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate, and the interval around it at some level of confidence."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class JackknifeReplicates:
    """A metric of n images, and of the same without each of K blocks of equal size."""

    full: float
    without: np.ndarray  # [K]

    @property
    def pseudo_values(self) -> np.ndarray:
        """K·full − (K − 1)·without [K]: about as independent as the blocks; the mean is free of bias a/n."""
        blocks = len(self.without)
        return blocks * self.full - (blocks - 1) * self.without

    def corrected(self) -> "JackknifeReplicates":
        """The metric free of bias a/n, and the same without each block; its pseudo-values are the same."""
        values = self.pseudo_values
        return JackknifeReplicates(float(values.mean()), (values.sum() - values) / (len(values) - 1))


def mean_interval(values: np.ndarray, level: float = LEVEL) -> Interval:
    """Student's interval for the mean of R ≥ 2 independent values, with R − 1 degrees of freedom."""
    return _student(np.mean(values), _standard_error(values), len(values) - 1, level)


def corrected_interval(metric: JackknifeReplicates) -> Interval:
    """Around the metric corrected for bias a/n: what a FID tends to with more images."""
    return mean_interval(metric.pseudo_values)


def plain_interval(metric: JackknifeReplicates) -> Interval:
    """Around the metric as it is: for a share such as precision, whose bias is not a/n, or none."""
    values = metric.pseudo_values
    return _student(metric.full, _standard_error(values), len(values) - 1)


def paired_difference(a: JackknifeReplicates, b: JackknifeReplicates, level: float = LEVEL) -> Interval:
    """a − b, both corrected for bias; the blocks of a and b are of the same seeds."""
    return mean_interval(a.pseudo_values - b.pseudo_values, level)


def paired_plain_difference(a: JackknifeReplicates, b: JackknifeReplicates) -> Interval:
    """a − b of metrics that are not biased by a/n (see `plain_interval`); the blocks are of the same seeds."""
    values = a.pseudo_values - b.pseudo_values
    return _student(a.full - b.full, _standard_error(values), len(values) - 1)


def unpaired_difference(a: JackknifeReplicates, b: JackknifeReplicates) -> Interval:
    """a − b, both corrected for bias, of different seeds and blocks (Welch's degrees of freedom)."""
    values = a.pseudo_values, b.pseudo_values
    squares = np.array([_standard_error(v) ** 2 for v in values])
    freedom = squares.sum() ** 2 / (squares**2 / [len(v) - 1 for v in values]).sum() if squares.any() else 1
    return _student(np.mean(values[0]) - np.mean(values[1]), np.sqrt(squares.sum()), freedom)


def mean_within(intervals: Sequence[Interval], blocks: int) -> Interval:
    """The mean of R estimates, as sure as their own intervals over K = `blocks` blocks make it.

    It holds these R self-trainings as they are: with other ones the mean moves, see `mean_interval`.
    """
    errors = np.array([(high - low) / 2 for _, low, high in intervals]) / _quantile(blocks - 1)
    replicas = len(intervals)
    mean = np.mean([interval.estimate for interval in intervals])
    return _student(mean, np.sqrt((errors**2).sum()) / replicas, replicas * (blocks - 1))


def confidence_ellipse(values: np.ndarray, count: int = 100) -> np.ndarray:
    """The 95 % confidence region of two means from R ≥ 3 pairs of values [2, R], as a closed curve [2, count].

    Hotelling's T²: (m − μ)ᵀ S⁻¹ (m − μ) ≤ 2(R − 1)/(R(R − 2))·F(2, R − 2).
    """
    from scipy.special import fdtri

    runs = values.shape[1]
    radius = np.sqrt(2 * (runs - 1) / (runs * (runs - 2)) * fdtri(2, runs - 2, LEVEL))
    angles = np.linspace(0, 2 * np.pi, count)
    sizes, axes = np.linalg.eigh(np.cov(values))
    circle = radius * np.array([np.cos(angles), np.sin(angles)])
    return values.mean(axis=1)[:, None] + axes @ (np.sqrt(sizes.clip(min=0))[:, None] * circle)


def wider(a: Interval, b: Interval) -> Interval:
    """The wider of two intervals: over blocks of seeds, and over replicas of the self-training."""
    return max(a, b, key=lambda interval: interval.high - interval.low)


def verdict(gain: Interval) -> str:
    """What the interval of FID(one model) − FID(another) says of the other: it is better if its FID is lower."""
    if gain.low > 0:
        return "better"
    if gain.high < 0:
        return "worse"
    return "not distinguishable"


def _standard_error(values: np.ndarray) -> float:
    return np.std(values, ddof=1) / np.sqrt(len(values))


def _student(estimate: float, error: float, freedom: float, level: float = LEVEL) -> Interval:
    half = _quantile(freedom, level) * error
    return Interval(float(estimate), float(estimate - half), float(estimate + half))


def _quantile(freedom: float, level: float = LEVEL) -> float:
    from scipy.special import stdtrit  # slow to import, and planning a study needs no intervals

    return stdtrit(freedom, (1 + level) / 2)
