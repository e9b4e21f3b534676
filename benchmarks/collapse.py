"""The 5,000-generation study of a Gaussian against the plain way: a mixture fitted to points each time.

    python benchmarks/collapse.py                    # 30 generations of the plain way, the time of 5,000 from them
    python benchmarks/collapse.py --generations 200  # more of them

The plain way: draw the training set of a generation as points, fit scikit-learn's `GaussianMixture`, sample;
one run. Ours: mean and scatter of the sample drawn directly, all runs at once; the whole study.
"""

import argparse
import time

import numpy as np
from adaptive_neon.collapse.loop import generation, stream
from adaptive_neon.collapse.models.gaussian import Gaussian, normal
from adaptive_neon.collapse.regimes import of_share
from sklearn.mixture import GaussianMixture

MEAN, VARIANCE, N, GENERATIONS = 5.0, 2.0, 1000, 5000


def plain(share: float, generations: int, rng: np.random.Generator) -> float:
    """The variance of one run's last generation."""
    real = rng.normal(MEAN, np.sqrt(VARIANCE), (N, 1))
    synthetic = round(share * N)
    data = real
    for i in range(generations):
        model = GaussianMixture(1, random_state=i).fit(data)
        data = np.concatenate([real[: N - synthetic], model.sample(synthetic)[0]])
    return float(model.covariances_[0, 0, 0])


def ours(share: float, seeds: int, rng: np.random.Generator) -> np.ndarray:
    """The variance of every run's last generation."""
    model = Gaussian(ridge=1e-6)
    return generation(GENERATIONS, model, of_share(N, share), normal(seeds, MEAN, VARIANCE), rng).variance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=30, help="of the plain way that are timed")
    parser.add_argument("--seeds", type=int, default=1000, help="runs of ours")
    args = parser.parse_args()

    print(f"Seconds a run of {GENERATIONS} generations, CPU time\n")
    print("| synthetic share | plain | ours | ratio |\n| --- | --- | --- | --- |")
    for share in (0.1, 0.9, 1.0):
        start = time.process_time()
        plain(share, args.generations, stream(0, f"plain {share}"))
        one = (time.process_time() - start) * GENERATIONS / args.generations
        start = time.process_time()
        ours(share, args.seeds, stream(0, f"ours {share}"))
        each = (time.process_time() - start) / args.seeds
        print(f"| {share:g} | {one:.1f} | {each:.5f} | {one / each:,.0f} |")


if __name__ == "__main__":
    main()
