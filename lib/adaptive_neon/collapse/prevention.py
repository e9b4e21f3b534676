"""The smallest amount of real data that prevents collapse.

It prevents collapse up to generation T if at least 95 % of the runs keep in generation T at least half, and at
most double, of what the truth has: a Gaussian's variance (in d dimensions the geometric mean of its principal
variances, det^(1/d)), the effective number of classes 1/Σp², a density estimate's variance; of a regression at
least half of the signal, 1 − ‖ŵ − w‖²/‖w‖².
"""

from bisect import bisect_left
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
    """A model, its truth for so many seeds, what a run keeps of the truth [S], the fewest samples of a fit."""

    model: Any
    truth: Callable[[int], Any]
    kept: Callable[[Any], np.ndarray]
    least: int = 1


def _unit_coefficients(seeds: int) -> np.ndarray:
    return np.full((seeds, DIMENSIONS), DIMENSIONS**-0.5)


SETTINGS = {
    "gaussian": Setting(Gaussian(), standard_normal, lambda found: found.variance),
    "gaussian-5d": Setting(
        Gaussian(),
        lambda seeds: standard_normal(seeds, DIMENSIONS),
        lambda found: np.linalg.det(found.covariance).clip(min=0) ** (1 / DIMENSIONS),
        least=DIMENSIONS + 1,
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
        least=DIMENSIONS + 1,
    ),
}


def regimes_with(real: int, synthetic: int) -> dict[str, Regime]:
    """The regimes in which real data go on; weighted: the same real data have half of the weight."""
    regimes = {"the same": Mixed(real, synthetic), "fresh": Mixed(real, synthetic, fresh=True)}
    if synthetic:
        regimes["weighted"] = Mixed(real, synthetic, weight=0.5)
    return regimes


def amounts(n: int, least: int) -> list[int]:
    """How much real data is tried: four values in each octave, up to n."""
    tried = {round(2 ** (k / 4)) for k in range(4 * int(np.ceil(np.log2(n))) + 1)}
    return sorted({amount for amount in tried if least <= amount < n - 1} | {n})


def prevention(name: str, protocol: Mapping, seed: int) -> list[dict]:
    """For each regime and n the smallest amounts of real data, over the generations.

    Args:
        name: of `SETTINGS`.
        protocol: `samples`, `generations`, `seeds`.
    """
    setting, found = SETTINGS[name], []
    for n in protocol["samples"]:
        if n <= setting.least:
            continue
        for regime in ("the same", "fresh", "weighted"):
            if regime == "weighted" and name == "kernels":  # points have no weights
                continue
            tried = amounts(n, setting.least if regime == "fresh" else 1)
            if regime == "weighted":
                tried = tried[:-1]
            choices = {real: regimes_with(real, n - real)[regime] for real in tried}
            found.append({"regime": regime, "n": n, "smallest": _search(setting, choices, protocol, seed)})
        for regime, value in (("replace", Replace(n)), ("accumulate", Accumulate(n))):
            if regime == "accumulate" and name == "kernels":  # too many points
                continue
            found.append({"regime": regime, "n": n, "smallest": _search(setting, {n: value}, protocol, seed)})
    return found


def _search(setting: Setting, choices: Mapping[int, Regime], protocol: Mapping, seed: int) -> list[dict]:
    """`smallest` for each of the protocol's generations; what was simulated for one serves the others."""
    counts: dict[int, list[int]] = {}

    def holding(amount: int, i: int) -> int:
        if amount not in counts:
            counts[amount] = _holding(setting, choices[amount], protocol, seed)
        return counts[amount][i]

    return [
        {"generations": t} | smallest(list(choices), lambda amount, i=i: holding(amount, i), protocol["seeds"])
        for i, t in enumerate(protocol["generations"])
    ]


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


def smallest(tried: Sequence[int], holding: Callable[[int], int], of: int) -> dict[str, int | None]:
    """The first amount at which enough of the runs hold, by bisection: more real data keep more.

    Args:
        tried: amounts, rising.
        holding: in how many of the `of` runs enough is kept, at an amount.

    Returns:
        `amount`; and `low` and `high`, the first at which the 95 % interval of the share of runs reaches, and
        clears, 95 %. None: not even the largest that was tried.
    """

    def first(enough: Callable[[int], bool]) -> int | None:
        i = bisect_left(tried, True, key=lambda amount: enough(holding(amount)))
        return tried[i] if i < len(tried) else None

    return {
        "low": first(lambda count: interval_of_share(count, of)[1] >= PROBABILITY),
        "amount": first(lambda count: count >= PROBABILITY * of),
        "high": first(lambda count: interval_of_share(count, of)[0] >= PROBABILITY),
    }
