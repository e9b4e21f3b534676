"""The points with which a search begins."""

from collections.abc import Sequence
from math import comb

from adaptive_neon.merging.grid import Point, diagonal, grid
from adaptive_neon.search.surface import Region, as_points, design


def search_points(method: str, blocks: Sequence[str], weights: Sequence[float]) -> list[Point]:
    """Of the first round: the grid, or the design of a surface and the single weights among the given ones.

    For the method gradient, which begins with the best single weight, the surface is a line of single weights.

    Args:
        weights: rising; a surface lies over the range that they span, the same for every block.
    """
    if method == "gradient":
        line = design(Region.of(1, weights[0], weights[-1])).ravel()
        return diagonal(blocks, sorted({*line.tolist(), *weights}))
    if method != "surface":
        return grid(dict.fromkeys(blocks, weights))
    points = as_points(blocks, design(Region.of(len(blocks), weights[0], weights[-1])))
    return points + [point for point in diagonal(blocks, weights) if point not in points]


def design_size(blocks: int) -> int:
    """The number of points of `surface.design`, as many as a quadratic of so many weights has coefficients."""
    return 1 + 2 * blocks + comb(blocks, 2)
