"""What each regime and each sampler does to each model, over the generations: medians and bands over the seeds."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from adaptive_neon.collapse import metrics
from adaptive_neon.collapse.loop import generations, stream
from adaptive_neon.collapse.models.categorical import Categorical
from adaptive_neon.collapse.models.gaussian import Gaussian, standard_normal
from adaptive_neon.collapse.models.kernel import Kernels, single_kernel
from adaptive_neon.collapse.models.regression import Regression
from adaptive_neon.collapse.neon import correction
from adaptive_neon.collapse.regimes import Accumulate, Mixed, Regime, Replace, Subsample, of_share

Loop = tuple[Any, Regime, Any]  # model, regime, what corrects a generation
Measure = Callable[[Any], np.ndarray]


def regimes_of(n: int) -> dict[str, Regime]:
    """What is compared, for n samples a generation; half of them real where real data go on."""
    return {
        "replace": Replace(n),
        "accumulate": Accumulate(n),
        "accumulate and subsample": Subsample(n),
        "half real, the same": of_share(n, 0.5),
        "half real, fresh": Mixed(n // 2, n // 2, fresh=True),
    }


def curves(protocol: Mapping, seed: int) -> dict[str, dict]:
    """Model → regime → bands over the generations of what its panel shows.

    Args:
        protocol: `samples`, `generations`, `seeds`, `classes`, `dimensions` of the regression.
    """
    n, last, seeds = (protocol[key] for key in ("samples", "generations", "seeds"))
    classes, d = protocol["classes"], protocol["dimensions"]
    honest = regimes_of(n)
    replaced, half = honest["replace"], honest["half real, the same"]
    points = {"accumulate and subsample": Gaussian(points=True)}
    pooled = {name: regime for name, regime in honest.items() if name != "accumulate and subsample"}
    panels: dict[str, tuple[dict[str, Loop], Any, Measure]] = {
        "gaussian": (
            {name: (points.get(name, Gaussian()), regime, None) for name, regime in honest.items()},
            standard_normal(seeds),
            lambda found: found.variance,
        ),
        "biased": (
            {
                f"{name}, λ = {bias:g}": (Gaussian(bias=bias), honest[name], None)
                for bias in (0.9, 1.1)
                for name in ("replace", "accumulate", "half real, the same")
            },
            standard_normal(seeds),
            lambda found: found.variance,
        ),
        "classes": (
            {name: (Categorical(), regime, None) for name, regime in pooled.items()}
            | {"replace, temperature 0.9": (Categorical(0.9), honest["replace"], None)},
            np.full((seeds, classes), 1 / classes),
            metrics.class_coverage,
        ),
        "kernels": (
            {
                f"{name}, {rule}": (Kernels(h), honest[name], None)
                for rule, h in (("h = 0.3", 0.3), ("Silverman's h", None))
                for name in ("replace", "accumulate", "half real, the same")
            },
            single_kernel(seeds),
            lambda found: found.variance,
        ),
        "regression": (
            {name: (Regression(1.0), regime, None) for name, regime in pooled.items()},
            np.zeros((seeds, d)),
            lambda found: (found**2).sum(axis=1),
        ),
        "neon": (
            {
                "none": (Gaussian(), replaced, None),
                "unbiased fit": (Gaussian("unbiased"), replaced, None),
                "Neon of v, w = 1": (Gaussian(), replaced, correction(Gaussian(), n, 1.0)),
                "Neon of log v, w = 1": (Gaussian(), replaced, correction(Gaussian(), n, 1.0, coordinates="log")),
                "half real, none": (Gaussian(), half, None),
                "half real, Neon of v, w = 1": (Gaussian(), half, correction(Gaussian(), n, 1.0)),
            },
            standard_normal(seeds),
            lambda found: found.variance,
        ),
    }
    return {
        panel: {
            name: _bands(loop, truth, measure, last, stream(seed, f"curves {panel} {name}"))
            for name, loop in loops.items()
        }
        for panel, (loops, truth, measure) in panels.items()
    }


def _bands(loop: Loop, truth: Any, measure: Measure, last: int, rng: np.random.Generator) -> dict:
    model, regime, correct = loop
    values = [measure(found) for found in islice(generations(model, regime, truth, rng, correct), last)]
    return {
        "median_low_high": [metrics.band(value) for value in values],
        "mean": [metrics.mean(value) for value in values],
    }
