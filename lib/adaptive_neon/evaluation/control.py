"""Control variates: images of the base model on further seeds sharpen the FID of every model on common seeds.

On the same seeds a merged model's images resemble the base model's, and so do the errors of their moments. With n
images of a model and N > n of the base model, among them those on the same n seeds, mean and covariance of the
model are moved by what the further images move the base model's: μ̂ = μ_n + β·(μ'_N − μ'_n), and likewise the
covariance (Lavenberg & Welch 1981). β is how much of an error the two have in common, 1 for the base model itself.
"""

from collections.abc import Callable, Sequence

import numpy as np

from adaptive_neon.evaluation.distances import Moments, ReferenceStatistics, frechet_distance
from adaptive_neon.statistics.jackknife import JackknifeReplicates


def controlled_fids_of_features(
    reference: ReferenceStatistics, features: np.ndarray, base: np.ndarray, blocks: int
) -> JackknifeReplicates | None:
    """FID with the base model as control variate, and without each of K = `blocks` blocks of seeds.

    Of the base model's own images it is their FID. An estimated covariance need not be one: what is negative of it
    counts as 0, as in every FID.

    Args:
        features: of the model [n, D]; n is a multiple of K.
        base: of the base model [N, D], N > n a multiple of K: first on the seeds of `features`, then on others.
            Block k holds the k-th share of both.

    Returns:
        None if the features aren't finite: a model diverged.
    """
    if not np.isfinite(features).all():
        return None
    n = len(features)
    own, same, further = (
        [Moments(part) for part in np.split(part_of, blocks)] for part_of in (features, base[:n], base[n:])
    )
    whole = [a + b for a, b in zip(same, further, strict=True)]
    return controlled_fids(reference, own, same, whole)


def controlled_fids(
    reference: ReferenceStatistics, own: Sequence[Moments], same: Sequence[Moments], whole: Sequence[Moments]
) -> JackknifeReplicates:
    """The same from the moments of each block (see `control`)."""
    estimate = control(own, same, whole)
    without = [frechet_distance(reference, estimate(block)) for block in range(len(own))]
    return JackknifeReplicates(frechet_distance(reference, estimate()), np.array(without))


def control(own: Sequence[Moments], same: Sequence[Moments], whole: Sequence[Moments]) -> Callable[..., Moments]:
    """The moments of a model with the base model as control variate.

    Args:
        own: of the model's images, in each block of seeds.
        same: of the base model's, on the same seeds.
        whole: of these and the base model's further ones.

    Returns:
        What gives the moments of all blocks, or of those without the one that it is given. The coefficients are
        those of all.
    """
    totals = [sum(parts, start=Moments()) for parts in (own, same, whole)]
    of_mean = _coefficient([one.mean for one in own], [one.mean for one in same])
    of_covariance = _coefficient([one.scatter for one in own], [one.scatter for one in same])

    def estimate(without: int | None = None) -> Moments:
        model, less, more = totals
        if without is not None:
            model, less, more = model - own[without], less - same[without], more - whole[without]
        moments = Moments()
        moments.n = more.n
        moments.mean = model.mean + of_mean * (more.mean - less.mean)
        covariance = model.covariance + of_covariance * (more.covariance - less.covariance)
        moments.scatter = covariance * (moments.n - 1)
        return moments

    return estimate


def _coefficient(own: Sequence[np.ndarray], same: Sequence[np.ndarray]) -> float:
    """β = Σ cov(own, same) / Σ var(same) over all entries, as they vary over the blocks; 0 if nothing varies.

    Balanced classes and antithetic pairs make blocks alike, so that only what remains of the noise counts.
    """
    own, same = (np.stack(values) - np.mean(values, axis=0) for values in (own, same))
    variance = np.vdot(same, same)
    return float(np.vdot(own, same) / variance) if variance else 0.0
