"""A Gaussian over thousands of generations, with a share of synthetic data in each training set.

One run of it is an anecdote; all seeds run at once here, and means, medians and bands over them are recorded.
"""

from collections.abc import Mapping

import numpy as np

from adaptive_neon.collapse import metrics
from adaptive_neon.collapse.exact.mixed import mixed
from adaptive_neon.collapse.loop import generations, stream
from adaptive_neon.collapse.models.gaussian import Gaussian, Normal, normal
from adaptive_neon.collapse.regimes import of_share


def recorded(last: int, count: int = 120) -> list[int]:
    """Generations to look at: 1 to `last`, evenly on a logarithmic scale."""
    return sorted({round(t) for t in np.geomspace(1, last, count)})


def gaussian_study(protocol: Mapping, seeds: int, seed: int) -> list[dict]:
    """A record for each share of synthetic data, see `_run`.

    Args:
        protocol: `mean`, `variance`, `samples`, `generations`, `shares`, and `ridge`, scikit-learn's `reg_covar`.
    """
    return [_run(protocol, share, seeds, seed) for share in protocol["shares"]]


def _run(protocol: Mapping, share: float, seeds: int, seed: int) -> dict:
    """One share: variance over the generations, the last models' density, the metrics at a few generations."""
    n, last = protocol["samples"], protocol["generations"]
    truth = normal(seeds, protocol["mean"], protocol["variance"])
    rng = stream(seed, f"study {share}")
    looked_at = recorded(last)
    measured_at = sorted({t for t in (1, 10, 100, 1000) if t < last} | {last})
    loop = generations(Gaussian(ridge=protocol["ridge"]), of_share(n, share), truth, rng)
    bands, means, logs, measured, before = [], [], [], [], truth
    expected = mixed(*_sizes(n, share), ridge=protocol["ridge"] / protocol["variance"])
    exact = []
    for t, (parameters, law) in enumerate(zip(loop, expected, strict=False), start=1):
        if t in looked_at:
            bands.append(metrics.band(parameters.variance))
            means.append(metrics.mean(parameters.variance))
            logs.append(metrics.mean(np.log(parameters.variance)))
            exact.append(protocol["variance"] * law.variance)
        if t in measured_at:
            measured.append({"generation": t} | measure(parameters, before, truth, n, rng))
        before = parameters
        if t == last:
            break
    return {
        "share": share,
        "generations": looked_at,
        "variance": bands,
        "mean_variance": means,
        "log_variance": logs,
        "expected_variance": exact,
        "metrics": measured,
        "density": density(parameters, truth),
    }


def _sizes(n: int, share: float) -> tuple[int, int]:
    regime = of_share(n, share)
    return regime.real, regime.synthetic


def measure(
    model: Normal, before: Normal, truth: Normal, n: int, rng: np.random.Generator, tested: int = 100
) -> dict:
    """Every metric of one generation of a one-dimensional Gaussian, means over the seeds with standard errors.

    Args:
        before: the generation before.
        n: size of the two samples of which the test for shift, in `tested` seeds, and W₁ are.
    """
    apart, shifted = [], []
    for i in range(min(tested, len(model.mean))):
        real, generated = (
            parameters.mean[i, 0] + np.sqrt(parameters.variance[i]) * rng.standard_normal(n)
            for parameters in (truth, model)
        )
        apart.append(metrics.wasserstein_of_samples(real, generated))
        shifted.append(metrics.shift_is_detected(real, generated))
    error = metrics.bias_and_variance(model.variance, float(truth.variance[0]))
    return {
        "mean": metrics.mean(model.mean[:, 0]),
        "variance": metrics.mean(model.variance),
        "variance_band": metrics.band(model.variance),
        "log_variance": metrics.mean(np.log(model.variance)),
        "distance_to_truth": metrics.mean(metrics.wasserstein(model, truth)),
        "distance_to_last": metrics.mean(metrics.wasserstein(model, before)),
        "sample_distance": metrics.mean(np.array(apart)),
        "shift_detected": metrics.share(np.array(shifted)),
        "held_out_loss": metrics.band(metrics.held_out_loss(model, truth)),
        "bias_squared": error.bias_squared,
        "variance_of_variance": error.variance,
    }


def density(model: Normal, truth: Normal, points: int = 201, shown: int = 8) -> dict:
    """The density of the truth, of the last models, and of a few seeds among them, over a grid."""
    center, spread = truth.mean[0, 0], np.sqrt(truth.variance[0])
    x = np.linspace(center - 4 * spread, center + 4 * spread, points)

    def of(parameters: Normal) -> np.ndarray:
        deviation = np.sqrt(parameters.variance)[:, None]
        scaled = (x - parameters.mean) / deviation
        return np.exp(-(scaled**2) / 2) / (np.sqrt(2 * np.pi) * deviation)

    drawn = of(model)
    return {
        "x": x.tolist(),
        "truth": of(truth)[0].tolist(),
        "mean": drawn.mean(axis=0).tolist(),
        "seeds": drawn[:shown].tolist(),
    }
