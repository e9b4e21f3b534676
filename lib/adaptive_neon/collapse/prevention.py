"""The smallest amount of real data that prevents collapse.

It prevents collapse up to generation T if at least 95 % of the runs keep in generation T at least half, and at most double,
of what the truth has: a Gaussian's variance (in d dimensions the geometric mean of its principal variances, det^(1/d)), the
effective number of classes 1/Σp², a density estimate's variance; of a regression at least half of the signal, 1 − ‖ŵ − w‖²/‖w‖².
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from adaptive_neon.collapse.loop import generations, stream
from adaptive_neon.collapse.metrics import interval_of_share
from adaptive_neon.collapse.models.categorical import Categorical
from adaptive_neon.collapse.models.gaussian import Gaussian, standard_normal
from adaptive_neon.collapse.models.kernel import Kernels, single_kernel
from adaptive_neon.collapse.models.regression import Regression
from adaptive_neon.collapse.regimes import Accumulate, Mixed, Regime, Replace

PROBABILITY, HALF, DOUBLE = 0.95, 0.5, 2.0
DIMENSIONS, CLASSES = 5, 10


class Setting(NamedTuple):
    """A model, its truth for so many seeds, and what a run keeps of the truth [S]."""

    model: Any
    truth: Callable[[int], Any]
    kept: Callable[[Any], np.ndarray]


def _unit_coefficients(seeds: int) -> np.ndarray:
    return np.full((seeds, DIMENSIONS), DIMENSIONS**-0.5)


SETTINGS = {
    "gaussian": Setting(Gaussian(), standard_normal, lambda found: found.variance),
    "gaussian-5d": Setting(
        Gaussian(),
        lambda seeds: standard_normal(seeds, DIMENSIONS),
        lambda found: np.linalg.det(found.covariance).clip(min=0) ** (1 / DIMENSIONS),
    ),
    "classes": Setting(
        Categorical(),
        lambda seeds: np.full((seeds, CLASSES), 1 / CLASSES),
        lambda found: 1 / (found**2).sum(axis=1) / CLASSES,
    ),
    "kernels": Setting(Kernels(), single_kernel, lambda found: found.variance),
    "regression": Setting(
        Regression(1.0),
        _unit_coefficients,
        lambda found: 1 - ((found - DIMENSIONS**-0.5) ** 2).sum(axis=1),
    ),
}


def regimes_with(real: int, synthetic: int) -> dict[str, Regime]:
    """The regimes in which real data go on; weighted: the same real data have half of the weight."""
    regimes = {"the same": Mixed(real, synthetic), "fresh": Mixed(real, synthetic, fresh=True)}
    if synthetic:
        regimes["weighted"] = Mixed(real, synthetic, weight=0.5)
    return regimes


def amounts(n: int) -> list[int]:
    """How much real data is tried: a few values in each octave up to n."""
    tried = {round(2 ** (k / 2)) for k in range(2 * int(np.ceil(np.log2(n))) + 1)}
    return sorted({amount for amount in tried if amount < n - 1} | {n})


def prevention(name: str, protocol: Mapping, seed: int) -> list[dict]:
    """For each regime and n the share of runs that keep enough, over the amount of real data and the generations.

    Args:
        name: of `SETTINGS`.
        protocol: `samples`, `generations`, `seeds`.
    """
    setting, found = SETTINGS[name], []
    least = DIMENSIONS + 1 if name in ("gaussian-5d", "regression") else 1  # real samples of a first fit
    for n in protocol["samples"]:
        if n <= least:
            continue
        for regime in ("the same", "fresh", "weighted"):
            if regime == "weighted" and name == "kernels":
                continue
            tried, holding = [], []
            for real in amounts(n):
                regimes = regimes_with(real, n - real)
                if regime not in regimes or (regime == "fresh" and real < least):
                    continue
                tried.append(real)
                holding.append(_holding(setting, regimes[regime], protocol, seed))
                if all(interval_of_share(count, protocol["seeds"])[0] >= PROBABILITY for count in holding[-1]):
                    break  # more real data keep more
            found.append(_entry(regime, n, tried, holding, protocol))
        for regime, value in (("replace", Replace(n)), ("accumulate", Accumulate(n))):
            if regime == "accumulate" and name == "kernels":
                continue
            found.append(_entry(regime, n, [n], [_holding(setting, value, protocol, seed)], protocol))
    return found


def _holding(setting: Setting, regime: Regime, protocol: Mapping, seed: int) -> list[int]:
    """In how many seeds enough is kept, at each of the protocol's generations."""
    seeds, wanted = protocol["seeds"], protocol["generations"]
    loop = generations(setting.model, regime, setting.truth(seeds), stream(seed, "prevention"))
    counts = []
    for t, parameters in enumerate(islice(loop, max(wanted)), start=1):
        if t in wanted:
            kept = setting.kept(parameters)
            counts.append(int(((kept >= HALF) & (kept <= DOUBLE)).sum()))
    return counts


def _entry(regime: str, n: int, tried: Sequence[int], holding: Sequence[Sequence[int]], protocol: Mapping) -> dict:
    of = protocol["seeds"]
    smallest = [
        smallest_amount(tried, [counts[i] for counts in holding], of) for i in range(len(protocol["generations"]))
    ]
    return {
        "regime": regime,
        "n": n,
        "tried": list(tried),
        "holding": [list(counts) for counts in holding],
        "of": of,
        "generations": list(protocol["generations"]),
        "smallest": smallest,
    }


def smallest_amount(tried: Sequence[int], holding: Sequence[int], of: int) -> dict:
    """The first amount at which enough runs hold; low and high: at which their 95 % interval reaches, and clears, 95 %.

    None: not even the largest amount that was tried.
    """
    intervals = [interval_of_share(count, of) for count in holding]

    def first(passes: Sequence[bool]) -> int | None:
        return next((amount for amount, passed in zip(tried, passes, strict=True) if passed), None)

    return {
        "low": first([high >= PROBABILITY for _, high in intervals]),
        "amount": first([count >= PROBABILITY * of for count in holding]),
        "high": first([low >= PROBABILITY for low, _ in intervals]),
    }
