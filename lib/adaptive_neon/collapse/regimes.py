"""Which data a generation is trained on. Sizes are of one generation; the first sees real data alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Draw = Callable[[int], Any]  # so many new samples, for all seeds


class Regime(Protocol):
    """What a loop asks of a regime: the training set of the first generation, and of each that follows.

    The memory is what the regime keeps from one generation to the next.
    """

    def begin(self, real: Draw) -> tuple[Any, Any]: ...

    def step(self, memory: Any, real: Draw, synthetic: Draw, rng: np.random.Generator) -> tuple[Any, Any]: ...


@dataclass(frozen=True)
class Replace:
    """Each generation is trained on n samples of the last one alone."""

    n: int

    def begin(self, real):
        return real(self.n), None

    def step(self, memory, real, synthetic, rng):
        return synthetic(self.n), None


@dataclass(frozen=True)
class Accumulate:
    """The n real samples and n of every generation so far (Gerstgrasser et al., arXiv 2404.01413)."""

    n: int

    def begin(self, real):
        data = real(self.n)
        return data, data

    def step(self, memory, real, synthetic, rng):
        pool = memory + synthetic(self.n)
        return pool, pool


@dataclass(frozen=True)
class Subsample:
    """All data accumulate; a generation sees n of them, without replacement (Kazdan et al., 2410.16713)."""

    n: int

    def begin(self, real):
        data = real(self.n)
        return data, data

    def step(self, memory, real, synthetic, rng):
        pool = memory + synthetic(self.n)
        return pool.choose(self.n, rng), pool


@dataclass(frozen=True)
class Mixed:
    """`real` real samples and `synthetic` of the last generation.

    Args:
        fresh: whether the real samples are new in each generation, or always the same. If they are the same, the
            first generation sees all it can: real + synthetic real samples, of which `real` are kept.
        weight: of the real data in the fit, 0 to 1; None gives every sample the same weight.
        start: with fresh real samples, how many of them the first generation sees; None: as many as the others.
    """

    real: int
    synthetic: int
    fresh: bool = False
    weight: float | None = None
    start: int | None = None

    def begin(self, real):
        if self.fresh:
            return real(self.start or self.real), None
        kept = real(self.real) if self.real else None
        if not self.synthetic:
            return kept, kept
        rest = real(self.synthetic)
        return (rest if kept is None else kept + rest), kept

    def step(self, memory, real, synthetic, rng):
        parts = [real(self.real) if self.fresh else memory] if self.real else []
        parts += [synthetic(self.synthetic)] if self.synthetic else []
        if self.weight is not None:
            total = self.real + self.synthetic
            shares = (self.weight / self.real, (1 - self.weight) / self.synthetic)
            parts = [part.weighted(total * share) for part, share in zip(parts, shares, strict=True)]
        return (parts[0] + parts[1] if len(parts) > 1 else parts[0]), memory


def of_share(n: int, share: float) -> Mixed:
    """n samples with this share of synthetic ones; the real ones are always the same."""
    synthetic = round(n * share)
    return Mixed(n - synthetic, synthetic)
