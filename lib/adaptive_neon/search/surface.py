"""The surface method: FID over the weights as a quadratic, fitted to few points that share their seeds.

Neon (arXiv 2510.03597) expands the risk of a merged model as R(w) = R₀ + w·s + w²·q/2; with a weight per block s
is a vector and q a matrix. FIDs from the same seeds are a smooth function of the weights, so few points tell as
much of the place of its minimum as many do, and further images tell more on new seeds than at new points. Each
round draws a design of its own on seeds of its own, and has a level of its own in the common fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.merging.grid import Point
from adaptive_neon.statistics.jackknife import JackknifeReplicates

DIGITS = 2  # of a fitted weight, whose interval is wider than their last: it prints one way in a path
NARROWER = 0.5  # a round's region, of the one before


@dataclass(frozen=True)
class Region:
    """The box of weights that is searched: the same range for every block, or where a later round looks."""

    low: np.ndarray  # [B]
    high: np.ndarray  # [B]

    @classmethod
    def of(cls, blocks: int, low: float, high: float) -> "Region":
        return cls(np.full(blocks, float(low)), np.full(blocks, float(high)))

    def around(self, centre: np.ndarray, share: float) -> "Region":
        """A box of a share of the widths, as near to the centre as this box allows."""
        half = share * (self.high - self.low) / 2
        centre = np.clip(centre, self.low + half, self.high - half)
        return Region(centre - half, centre + half)


def design(region: Region) -> np.ndarray:
    """Points [P, B] that tell a quadratic of B weights with as few as it has coefficients.

    The centre of the region, the middle of each face, and for each two blocks the middle of an edge between them.
    Rounded to `DIGITS`.
    """
    centre, half = (region.low + region.high) / 2, (region.high - region.low) / 2
    steps = np.diag(half)
    points = [centre]
    points += [centre + sign * step for step in steps for sign in (-1, 1)]
    points += [centre + a + b for a, b in combinations(steps, 2)]
    return np.round(points, DIGITS)


@dataclass(frozen=True)
class Quadratic:
    """R(w) = constant + gradient·w + wᵀ·curvature·w/2."""

    constant: float
    gradient: np.ndarray  # [B]
    curvature: np.ndarray  # [B, B]

    def __call__(self, w: np.ndarray) -> float:
        return float(self.constant + self.gradient @ w + w @ self.curvature @ w / 2)

    def single(self) -> "Quadratic":
        """The same over one weight for all blocks."""
        return Quadratic(self.constant, self.gradient.sum(keepdims=True), self.curvature.sum(keepdims=True))

    def stationary(self) -> np.ndarray:
        """Where the gradient vanishes; NaN where that is no minimum."""
        if np.linalg.eigvalsh(self.curvature)[0] <= 0:
            return np.full(len(self.gradient), np.nan)
        return -np.linalg.solve(self.curvature, self.gradient)

    def minimum(self, region: Region) -> np.ndarray:
        """The lowest place of a region [B]."""
        found = self.stationary()
        if np.all((found >= region.low) & (found <= region.high)):
            return found
        from scipy.optimize import minimize  # only here: every start of the workflow imports this module

        starts = product(*zip(region.low, region.high, strict=True))
        bounds = list(zip(region.low, region.high, strict=True))
        ends = [
            minimize(self, start, jac=lambda w: self.gradient + self.curvature @ w, bounds=bounds).x
            for start in starts
        ]
        return min(ends, key=self)


@dataclass(frozen=True)
class Surface:
    """A fit, and the fits without each block of seeds of each round."""

    region: Region
    full: Quadratic
    without: list[list[Quadratic]]  # round → block of seeds → fit
    misfit: float  # root mean square of what the quadratic leaves of the FIDs; NaN where it has none to spare
    places: np.ndarray  # [P, B], of all rounds
    drawn: list[JackknifeReplicates]  # the FID of each, on the common level

    def minimum(self) -> np.ndarray:
        """The lowest place [B] of the fit within the region."""
        return np.round(self.full.minimum(self.region), DIGITS)

    def single_minimum(self) -> np.ndarray:
        """The same with one weight for all blocks."""
        diagonal = Region(self.region.low.max(keepdims=True), self.region.high.min(keepdims=True))
        return np.full(len(self.region.low), round(float(self.full.single().minimum(diagonal)[0]), DIGITS))

    def best(self, single: bool = False) -> tuple[np.ndarray, JackknifeReplicates]:
        """The best weights [B], and their FID: the minimum of the fit if it is a guide, else the best point drawn.

        It is none where it promises an improvement on the best point drawn that is no larger than its own misfit,
        or an FID below 0.
        """
        place = self.single_minimum() if single else self.minimum()
        fitted = self.value(place)
        candidates = [i for i, drawn in enumerate(self.places) if not single or np.ptp(drawn) == 0]
        if not candidates:
            return place, fitted
        lowest = min(candidates, key=lambda i: self.drawn[i].full)
        if fitted.full > 0 and not self.drawn[lowest].full - fitted.full <= self.misfit:
            return place, fitted
        return self.places[lowest], self.drawn[lowest]

    def value(self, w: np.ndarray) -> JackknifeReplicates:
        """The fitted FID at some weights [B]."""
        return self._replicates(lambda fit: fit(w))

    def stationary(self, single: bool = False) -> list[JackknifeReplicates] | None:
        """The minimum of each block's weight wherever it is, also outside the region, or of the single weight.

        None where the fit, or one without a block of seeds, has no minimum.
        """

        def place(fit: Quadratic) -> np.ndarray:
            return (fit.single() if single else fit).stationary()

        count = 1 if single else len(self.full.gradient)
        found = [self._replicates(lambda fit, i=i: place(fit)[i]) for i in range(count)]
        return None if any(np.isnan(one.pseudo_values).any() for one in found) else found

    def _replicates(self, of) -> JackknifeReplicates:
        return joined(of(self.full), [[of(fit) for fit in fits] for fits in self.without])


def joined(full: float, without: Sequence[Sequence[float]]) -> JackknifeReplicates:
    """The replicates of an estimate from R rounds of K blocks each, from its values without a block of one round.

    Without a block, one round in R changes: what that does, times R, is what it would do to this round alone.
    """
    rounds, blocks = len(without), len(without[0])
    change = rounds * (blocks - 1) * (full - np.concatenate(without))
    return JackknifeReplicates(full, full - change / (rounds * blocks - 1))


def fit(region: Region, rounds: Sequence[tuple[np.ndarray, Sequence[JackknifeReplicates]]]) -> Surface:
    """Least squares, each round with a level of its own.

    Args:
        region: where minima are looked for.
        rounds: points [P, B], and the FID of each; all points of a round from the same seeds.

    Raises:
        InputError: fewer points than coefficients.
    """
    places = np.concatenate([points for points, _ in rounds])
    of_round = np.repeat(np.arange(len(rounds)), [len(points) for points, _ in rounds])
    levels = np.eye(len(rounds))[of_round]
    centre = (region.low + region.high) / 2
    matrix = np.hstack([levels, _monomials(places - centre)])
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise InputError(
            f"search: the {len(places)} points that have not diverged do not tell a surface of {places.shape[1]} "
            "weights; use smaller grid.weights or less self-training"
        )
    solve = np.linalg.pinv(matrix)
    values = np.concatenate([[fid.full for fid in fids] for _, fids in rounds])

    def quadratic(fids: np.ndarray) -> Quadratic:
        return _quadratic(solve @ fids, len(rounds), centre)

    def on_common_level(fids: np.ndarray) -> np.ndarray:
        level = (solve @ fids)[: len(rounds)]
        return fids - levels @ level + level.mean()

    # The FIDs of all rounds without a block of one: round → block → [P].
    deleted = [
        [_with(values, of_round == index, row) for row in np.array([fid.without for fid in fids]).T]
        for index, (_, fids) in enumerate(rounds)
    ]
    drawn, drawn_without = on_common_level(values), [[on_common_level(fids) for fids in of] for of in deleted]
    replicates = [joined(drawn[i], [[fids[i] for fids in of] for of in drawn_without]) for i in range(len(places))]
    spare = len(places) - matrix.shape[1]
    residual = values - matrix @ (solve @ values)
    misfit = float(np.sqrt(residual @ residual / spare)) if spare else float("nan")
    without = [[quadratic(fids) for fids in of] for of in deleted]
    return Surface(region, quadratic(values), without, misfit, places, replicates)


def _with(values: np.ndarray, where: np.ndarray, others: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[where] = others
    return values


def _monomials(places: np.ndarray) -> np.ndarray:
    pairs = combinations_with_replacement(range(places.shape[1]), 2)
    return np.hstack([places, np.stack([places[:, a] * places[:, b] for a, b in pairs], axis=1)])


def _quadratic(coefficients: np.ndarray, rounds: int, centre: np.ndarray) -> Quadratic:
    """From the coefficients of levels and monomials around the centre to a quadratic around 0."""
    blocks = len(centre)
    level, slope = coefficients[:rounds].mean(), coefficients[rounds : rounds + blocks]
    curvature = np.zeros((blocks, blocks))
    for (a, b), value in zip(
        combinations_with_replacement(range(blocks), 2), coefficients[rounds + blocks :], strict=True
    ):
        curvature[a, b] += value
        curvature[b, a] += value
    gradient = slope - curvature @ centre
    return Quadratic(level - slope @ centre + centre @ curvature @ centre / 2, gradient, curvature)


def as_points(blocks: Sequence[str], places: np.ndarray) -> list[Point]:
    """Rows [P, B] as points."""
    return [dict(zip(blocks, map(float, row), strict=True)) for row in places]


def as_places(points: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Points as rows [P, B]."""
    return np.array([list(point.values()) for point in points])
