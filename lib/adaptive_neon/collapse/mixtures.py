"""A mixture of three Gaussians in a loop, fitted by scikit-learn: components, coverage, diversity."""

from collections.abc import Mapping
from itertools import islice

import numpy as np

from adaptive_neon.collapse import metrics
from adaptive_neon.collapse.loop import generations, stream
from adaptive_neon.collapse.models.mixture import Components, Mixture, draw_labelled
from adaptive_neon.collapse.regimes import of_share


def truth_of(protocol: Mapping, seeds: int) -> Components:
    """The real mixture: `weights`, `means` and `deviations` of its components."""
    rows = (protocol["weights"], protocol["means"], np.square(protocol["deviations"]))
    return Components(*(np.tile(np.asarray(row, dtype=float), (seeds, 1)) for row in rows))


def mixture_study(protocol: Mapping, seed: int) -> list[dict]:
    """For each share of synthetic data what becomes of the components, generation by generation, all seeds.

    Args:
        protocol: of `truth_of`, and `samples`, `generations`, `seeds`, `shares`.
    """
    return [_run(protocol, share, seed) for share in protocol["shares"]]


def _run(protocol: Mapping, share: float, seed: int) -> dict:
    truth, n = truth_of(protocol, protocol["seeds"]), protocol["samples"]
    rng = stream(seed, f"mixture {share}")
    modes, deviation = truth.means[0], float(np.sqrt(truth.variances[0].max()))
    real = draw_labelled(truth, n, rng)[0].values[:, :, 0]
    record: dict = {"share": share, "weights": [], "means": [], "variances": []}
    record |= {key: [] for key in ("coverage", "within", "between", "shift_detected", "distance")}
    model = Mixture(len(modes), seed)
    loop = generations(model, of_share(n, share), truth, rng)
    for parameters in islice(loop, protocol["generations"]):
        points, labels = draw_labelled(parameters, n, rng)
        points = points.values[:, :, 0]
        for key, values in parameters._asdict().items():
            record[key].append(values.tolist())
        record["coverage"].append(metrics.mode_coverage(points, modes, deviation).tolist())
        parts = [metrics.within_and_between(*row) for row in zip(points, labels, strict=True)]
        record["within"].append([within for within, _ in parts])
        record["between"].append([between for _, between in parts])
        pairs = list(zip(real, points, strict=True))
        record["shift_detected"].append([metrics.shift_is_detected(*pair) for pair in pairs])
        record["distance"].append([metrics.wasserstein_of_samples(*pair) for pair in pairs])
    return record
