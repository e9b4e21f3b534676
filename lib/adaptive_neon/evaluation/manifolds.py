"""How the regions that real and generated images fill overlap: precision, recall, density and coverage.

Features are [N, D], one row per image; distances are taken in the type of the features. Whole N × M matrices are
never formed, so memory does not grow with the product of the two numbers of images.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

BLOCK_ENTRIES = 1 << 25  # of a distance matrix that are in memory at a time: 128 MB in float32


@dataclass(frozen=True)
class Manifold:
    """An estimate of the region that a set of images fills: a ball around each, as far as its k-th neighbour.

    Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1).
    """

    features: np.ndarray  # [N, D]
    radii: np.ndarray  # [N], squared
    k: int


def manifold_of(features: np.ndarray, k: int = 5) -> Manifold:
    """The k-nearest-neighbour manifold of features [N, D], N > k. No N × N matrix is formed."""
    radii = [
        np.partition(block, k, axis=1)[:, k]  # the nearest, at 0, is the image itself
        for _, block in _squared_distances(features, features)
    ]
    return Manifold(features, np.concatenate(radii), k)


@dataclass(frozen=True)
class Overlap:
    """How the manifolds of N real and M generated images overlap: one entry per image, to average or to group.

    Precision and recall are those of Kynkäänniemi et al. 2019 (eqs. 2, 3), density and coverage those of
    Naeem et al. 2020 (eqs. 5, 6).
    """

    balls: np.ndarray  # [M] number of real balls that each generated image lies in
    recalled: np.ndarray  # [N] whether each real image lies in the generated manifold
    covered: np.ndarray  # [N] whether each real ball holds a generated image
    k: int

    @property
    def precision(self) -> float:
        """Share of the generated images that lie in the real manifold."""
        return float((self.balls > 0).mean())

    @property
    def recall(self) -> float:
        """Share of the real images that lie in the generated manifold."""
        return float(self.recalled.mean())

    @property
    def density(self) -> float:
        """Mean number of real balls that a generated image lies in, over k."""
        return float(self.balls.mean() / self.k)

    @property
    def coverage(self) -> float:
        """Share of the real balls that hold a generated image."""
        return float(self.covered.mean())


def delete_one_block_overlaps(real: Manifold, generated: np.ndarray, blocks: int) -> tuple[Overlap, list[Overlap]]:
    """Compare real images with all generated features [M, D], and with those without each of K = `blocks` runs.

    One pass over the distances serves all K + 1 comparisons: of each image the k nearest in every block are
    kept, and its k-th neighbour without a block is the k-th of those in the others. No M × M or N × M matrix
    is formed. K divides M.
    """
    radii, radii_without = _delete_one_block_radii(generated, real.k, blocks)
    in_block = np.repeat(np.eye(blocks, dtype=bool), len(generated) // blocks, axis=0)
    radii_without[in_block] = 0  # no real image lies in the ball of an image that is left out
    balls = np.zeros(len(generated), dtype=np.int64)
    recalled, covered = np.zeros((2, len(real.features)), dtype=bool)
    recalled_without, covered_by = np.zeros((2, len(real.features), blocks), dtype=bool)
    for rows, distances in _squared_distances(real.features, generated):
        in_real = distances < real.radii[rows, None]
        balls += in_real.sum(axis=0)
        covered_by[rows] = in_real.reshape(len(in_real), blocks, -1).any(axis=2)
        covered[rows] = covered_by[rows].any(axis=1)
        recalled[rows] = (distances < radii).any(axis=1)
        for block in range(blocks):
            recalled_without[rows, block] = (distances < radii_without[:, block]).any(axis=1)
    without = [
        Overlap(
            balls[~in_block[:, block]],
            recalled_without[:, block],
            np.delete(covered_by, block, axis=1).any(axis=1),
            real.k,
        )
        for block in range(blocks)
    ]
    return Overlap(balls, recalled, covered, real.k), without


def _delete_one_block_radii(features: np.ndarray, k: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance [N] of each image to its k-th neighbour among all, and [N, K] among all but one block."""
    size = len(features) // blocks
    keep = min(k + 1, size)  # the image itself, at 0, is one of them
    nearest_in = np.concatenate(
        [
            np.partition(block.reshape(len(block), blocks, size), keep - 1, axis=2)[:, :, :keep]
            for _, block in _squared_distances(features, features)
        ]
    )
    flat = nearest_in.reshape(len(features), -1)
    radii = np.partition(flat, k, axis=1)[:, k]
    radii_without = np.stack(
        [
            np.partition(np.delete(nearest_in, block, axis=1).reshape(len(features), -1), k, axis=1)[:, k]
            for block in range(blocks)
        ],
        axis=1,
    )
    return radii, radii_without


def nearest(queries: np.ndarray, features: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Indices and distances, both [M, k], of the k features [N, D] nearest to each query [M, D], in order."""
    indices, distances = [np.empty((0, k), int)], [np.empty((0, k))]
    for rows, block in _squared_distances(queries, features):
        index = np.argsort(block, axis=1)[:, :k]
        indices.append(index)
        distances.append(np.linalg.norm(queries[rows, None] - features[index], axis=2))
    return np.concatenate(indices), np.concatenate(distances)


def nearest_images(
    extract: Callable[[np.ndarray], np.ndarray], images: np.ndarray, real: np.ndarray, real_images: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    """Some generated images and the real ones nearest to them, to see whether a model memorises.

    Args:
        extract: images → features.
        images: uint8 [N, H, W, C], empty if the model diverged.
        real: features [M, D] of the real images.
        real_images: uint8 [M, H, W, C].

    Returns:
        The first 12 images; their 3 nearest real ones [12, 3, H, W, C] and distances [12, 3]; and, over the first
        500 generated and the first 500 real images, the median distance to the nearest other real image.
    """
    indices, distances = nearest(extract(images[:500]), real, k=3)
    _, among_real = nearest(real[:500], real, k=2)
    medians = {"generated": np.median(distances[:, 0]), "real": np.median(among_real[:, 1])}
    return images[:12], real_images[indices[:12]], distances[:12], medians


def _squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances from a few rows of x to all of y at a time: the rows, and their block of the matrix.

    |x|² + |y|² − 2x·y, after both are moved to the mean of y: that keeps float32 exact enough.
    """
    centre = y.mean(axis=0)
    y = y - centre
    y_norms = np.einsum("ij,ij->i", y, y)
    step = max(1, BLOCK_ENTRIES // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        block = x[rows] - centre
        squared = -2 * block @ y.T
        squared += np.einsum("ij,ij->i", block, block)[:, None]
        squared += y_norms
        yield rows, squared.clip(min=0, out=squared)
