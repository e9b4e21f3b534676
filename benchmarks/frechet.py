"""The Fréchet distance against clean-fid's on this machine, one reference, from the second evaluation on.

OMP_NUM_THREADS=1 python benchmarks/frechet.py
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from adaptive_neon.evaluation.distances import (
    Moments,
    frechet_distance,
    frechet_distance_of_features,
    reference_statistics,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from torchvision_shim import import_torchvision

import_torchvision()
from cleanfid.fid import frechet_distance as cleanfid_distance  # noqa: E402


def timed(run: Callable[[], float]) -> tuple[float, float]:
    start = time.perf_counter()
    value = run()
    return value, time.perf_counter() - start


def main() -> None:
    rng = np.random.default_rng(0)
    print("| D | n | clean-fid, s | ours, s | ratio | relative difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for dimension, sizes in ((64, (5000,)), (2048, (500, 1000, 2000, 5000))):
        spectrum = np.arange(1, dimension + 1) ** -0.5
        real = Moments(rng.standard_normal((2 * dimension, dimension)) * spectrum)
        reference = reference_statistics(real.mean, real.covariance)
        for n in sizes:
            features = (rng.standard_normal((n, dimension)) * spectrum).astype(np.float32)
            moments = Moments(features)
            mean, covariance = moments.mean, moments.covariance

            def theirs(mean=mean, covariance=covariance, real=real):
                return cleanfid_distance(mean, covariance, real.mean, real.covariance)

            def ours(features=features, moments=moments, reference=reference):
                if len(features) > len(moments.mean):
                    return frechet_distance(reference, moments)
                return frechet_distance_of_features(reference, features)

            for run in (theirs, ours):
                run()  # the first evaluation warms up the libraries
            expected, slow = timed(theirs)
            value, fast = timed(ours)
            print(
                f"| {dimension} | {n} | {slow:.4f} | {fast:.4f} | {slow / fast:.0f}× |"
                f" {abs(value / expected - 1):.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
