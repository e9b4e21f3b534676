"""How far generated images are from real ones: the Fréchet distance (FID) and the kernel distance (KID).

Features are [N, D], one row per image. Means, covariances and kernel sums are float64; products of features are
taken in the type of the features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, eigvalsh, qr
from scipy.linalg.lapack import dsygst

from adaptive_neon.statistics.jackknife import JackknifeReplicates


class Moments:
    """Streaming mean and covariance of features.

    Holds the count, the mean and the scatter Σ (x − mean)(x − mean)ᵀ, combined by the updating formulae of
    Chan, Golub & LeVeque (1979): unlike sums of x and xxᵀ, these don't cancel when the mean is large.
    """

    def __init__(self, features: np.ndarray | None = None):
        self.n = 0
        self.mean: np.ndarray | float = 0.0
        self.scatter: np.ndarray | float = 0.0
        if features is not None:
            self.update(features)

    def update(self, features: np.ndarray) -> None:
        """Add a batch [N, D]."""
        batch = Moments()
        batch.n = len(features)
        batch.mean = features.mean(axis=0, dtype=np.float64)
        centred = features - batch.mean
        batch.scatter = centred.T @ centred
        total = self + batch
        self.n, self.mean, self.scatter = total.n, total.mean, total.scatter

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both sets together."""
        return self._combine(other, +1)

    def __sub__(self, other: "Moments") -> "Moments":
        """The moments of this set without `other`, a part of it."""
        return self._combine(other, -1)

    def _combine(self, other: "Moments", sign: int) -> "Moments":
        result = Moments()
        result.n = self.n + sign * other.n
        if not result.n:
            return result
        step = other.mean - self.mean
        result.mean = self.mean + sign * other.n / result.n * step
        result.scatter = self.scatter + sign * other.scatter
        result.scatter += sign * self.n * other.n / result.n * np.outer(step, step)
        return result

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased: divided by n − 1, as in every FID implementation."""
        return self.scatter / (self.n - 1)


@dataclass(frozen=True)
class ReferenceStatistics:
    """Statistics of the real images, with what makes the Fréchet distance to them fast.

    `root` [D, rank] is a lower triangular square root of the covariance [D, D]: root·rootᵀ = covariance.
    """

    mean: np.ndarray
    covariance: np.ndarray
    root: np.ndarray


def reference_statistics(mean: np.ndarray, covariance: np.ndarray) -> ReferenceStatistics:
    """Take the root of the covariance once. Directions in which the real images don't vary are left out."""
    eigenvalues, vectors = eigh(covariance)
    present = eigenvalues > eigenvalues[-1] * len(mean) * np.finfo(np.float64).eps
    root = vectors[:, present] * np.sqrt(eigenvalues[present])
    return ReferenceStatistics(mean, covariance, qr(root.T, mode="r")[0].T)


def frechet_distance(reference: ReferenceStatistics, moments: Moments) -> float | None:
    """|μ − μ_r|² + tr Σ + tr Σ_r − 2 tr (Σ Σ_r)^½: FID (Heusel et al. 2017, eq. 6).

    With R = root, the eigenvalues of Σ Σ_r = Σ R Rᵀ are those of the symmetric Rᵀ Σ R.

    Returns:
        The distance, or None if the features aren't finite: the model that made them diverged.
    """
    if not np.isfinite(moments.scatter).all():
        return None
    covariance = moments.covariance
    dimension, rank = reference.root.shape
    square_root = np.pad(reference.root, ((0, 0), (0, dimension - rank)))
    # LᵀΣL for a triangular L costs a quarter of two matrix products; only its lower triangle is filled.
    product = dsygst(covariance, square_root, itype=2, lower=1)[0][:rank, :rank]
    return _distance(reference, moments.mean, np.trace(covariance), product, moments.n - 1)


def frechet_slope(reference: ReferenceStatistics, moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives of the Fréchet distance by the mean [D] and by the covariance [D, D].

    2(μ − μ_r), and I − R (Rᵀ Σ R)^−½ Rᵀ since d tr M^½ = ½ tr(M^−½ dM): no derivative of eigenvectors is needed.
    Directions in which the images don't vary, where the root has no slope, are left out.
    """
    root = reference.root
    eigenvalues, vectors = eigh(root.T @ moments.covariance @ root)
    present = eigenvalues > eigenvalues[-1] * len(eigenvalues) * np.finfo(np.float64).eps
    sides = root @ (vectors[:, present] * eigenvalues[present] ** -0.25)
    return 2 * (moments.mean - reference.mean), np.eye(len(root)) - sides @ sides.T


def frechet_distance_of_features(reference: ReferenceStatistics, features: np.ndarray) -> float | None:
    """The same from features [N, D]: with fewer images than features, an N × N problem."""
    if len(features) > reference.root.shape[1]:
        return frechet_distance(reference, Moments(features))
    return GramDistance(reference, features)(slice(None))


class GramDistance:
    """The Fréchet distance of N images and of parts of them, from one N × N matrix.

    With centred features X, Rᵀ Σ R = YᵀY for Y = X R / √(n−1): its non-zero eigenvalues are those of the Gram
    matrix YYᵀ. That of a part is a submatrix, centred anew.
    """

    def __init__(self, reference: ReferenceStatistics, features: np.ndarray):
        self.reference = reference
        self.mean = features.mean(axis=0, dtype=np.float64)
        self.centred = features - self.mean
        projected = self.centred @ reference.root
        self.gram = projected @ projected.T

    def __call__(self, part: slice | np.ndarray) -> float | None:
        """The distance of a part, given as a slice or a mask; None if the features aren't finite."""
        gram = self.gram[part][:, part]
        if not np.isfinite(gram).all():
            return None
        centred = self.centred[part]
        n = len(centred)
        shift = centred.mean(axis=0)
        trace = (np.einsum("ij,ij->", centred, centred) - n * shift @ shift) / (n - 1)
        rows = gram.mean(axis=0)
        gram = (gram - rows - rows[:, None] + rows.mean()) / (n - 1)
        return _distance(self.reference, self.mean + shift, trace, gram, n - 1)


def _distance(
    reference: ReferenceStatistics, mean: np.ndarray, trace: float, product: np.ndarray, rank: int
) -> float:
    """The distance, given tr Σ and a symmetric `product` with the non-zero eigenvalues of Σ Σ_r.

    Σ of n images has rank n − 1 at most: what comes after is rounding, and the roots of it are not small.
    """
    eigenvalues = eigvalsh(product, overwrite_a=True, check_finite=False)[-rank:]
    trace_root = np.sqrt(eigenvalues.clip(min=0)).sum()
    step = mean - reference.mean
    return float(step @ step + trace + np.trace(reference.covariance) - 2 * trace_root)


def delete_one_block_fids(reference: ReferenceStatistics, blocks: Sequence[Moments]) -> JackknifeReplicates | None:
    """FID of all K blocks together and without each, from the moments of each block; None if one diverged."""
    total = sum(blocks[1:], start=blocks[0])
    full = frechet_distance(reference, total)
    if full is None:
        return None
    return JackknifeReplicates(full, np.array([frechet_distance(reference, total - block) for block in blocks]))


def delete_one_block_fids_of_features(
    reference: ReferenceStatistics, features: np.ndarray, blocks: int
) -> JackknifeReplicates | None:
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
    return JackknifeReplicates(full, np.array([distance(block_of != block) for block in range(blocks)]))


def kernel_distance(
    real: np.ndarray,
    generated: np.ndarray,
    rng: np.random.Generator,
    subsets: int = 100,
    subset_size: int = 1000,
) -> tuple[float, float]:
    """KID (Bińkowski et al. 2018): unbiased squared MMD with the kernel (x·y/D + 1)³, over random subsets.

    The defaults are those of clean-fid and torch-fidelity; `subset_size` shrinks to the smaller set.

    Returns:
        The mean over the subsets and their standard deviation, as torch-fidelity reports them. The deviation
        is about the standard error of one subset's KID; that of the mean is smaller.
    """
    size = min(subset_size, len(real), len(generated))
    estimates = [
        _mmd(
            real[rng.choice(len(real), size, replace=False)],
            generated[rng.choice(len(generated), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(estimates)), float(np.std(estimates))


def _mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimator of MMD² (Bińkowski et al. 2018, eq. 4) for two sets of equal size."""
    n = len(x)
    within = _kernel(x, x) + _kernel(y, y)
    return (within.sum() - np.trace(within)) / (n * (n - 1)) - 2 * _kernel(x, y).mean()


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = (x @ y.T).astype(np.float64) / x.shape[1] + 1
    return base * base * base  # many times faster than ** 3
