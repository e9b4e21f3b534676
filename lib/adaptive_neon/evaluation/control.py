"""Control variates: images of the base model on further seeds sharpen the FID of every model on common seeds.

On the same seeds a merged model's images resemble the base model's, and so do the errors of their moments. With n
images of a model and N > n of the base model, among them those on the same n seeds, each moment of the model is
moved by what the further images move the base model's: m̂ = m_n + b_N − b_n (Lavenberg & Welch 1981, with a
coefficient of 1). The estimate has no bias; its variance is that of m_n − b_n, which is small near the base model,
and of b_N.
"""

import numpy as np

from adaptive_neon.evaluation.distances import Moments, ReferenceStatistics, frechet_distance
from adaptive_neon.statistics.jackknife import JackknifeReplicates


def controlled_fids(
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
    n = len(features)
    own, same, further = (
        [Moments(part) for part in np.split(part_of, blocks)] for part_of in (features, base[:n], base[n:])
    )
    whole = [a + b for a, b in zip(same, further, strict=True)]
    totals = [sum(parts[1:], start=parts[0]) for parts in (own, same, whole)]

    def distance(*moments: Moments) -> float | None:
        return frechet_distance(reference, controlled(*moments))

    full = distance(*totals)
    if full is None:
        return None
    of_blocks = zip(own, same, whole, strict=True)
    without = [distance(*(total - part for total, part in zip(totals, block, strict=True))) for block in of_blocks]
    return JackknifeReplicates(full, np.array(without))


def controlled(own: Moments, same: Moments, whole: Moments) -> Moments:
    """Mean and covariance of a model, moved by what further images move the base model's on the same seeds."""
    estimated = Moments()
    estimated.n = whole.n
    estimated.mean = own.mean + whole.mean - same.mean
    estimated.scatter = (own.covariance + whole.covariance - same.covariance) * (whole.n - 1)
    return estimated
