"""How often the 95 % interval of a FID difference holds the true difference, in simulated studies.

    python benchmarks/coverage.py --features 64 --images 40 60 160 600 3000 --studies 1000
    python benchmarks/coverage.py --features 64 --images 600 3000 --studies 1000 --classes 10 --draw drawn balanced
    python benchmarks/coverage.py --features 2048 --images 500 1000 --studies 500
    python benchmarks/coverage.py --features 2048 --images 10240 --blocks 5 --studies 500 --models different
    python benchmarks/coverage.py --cost

Features are Gaussian, in each class if there are several, so the true distances are known. Prints Markdown tables;
--json writes the same figures to a file. Interrupted, it tells what the studies so far say.
"""

import argparse
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from adaptive_neon.evaluation.distances import (
    Moments,
    ReferenceStatistics,
    delete_one_block_fids,
    delete_one_block_fids_of_features,
    frechet_distance,
    frechet_distance_of_features,
    reference_statistics,
)
from adaptive_neon.statistics.jackknife import (
    JackknifeReplicates,
    paired_difference,
)
from scipy.linalg import eigvalsh
from tqdm import trange

# Eigenvalues (their rank, their size) of the covariance of Inception's features of 4,000 images of CIFAR-10.
INCEPTION = np.array(
    [(1, 12.5), (11, 2.48), (31, 1.01), (101, 0.354), (301, 0.0964), (601, 0.0286), (1001, 0.0100), (2048, 0.0015)]
)


def spectrum_of(features: int) -> np.ndarray:
    """Eigenvalues [D] that fall as those of Inception's features do, squeezed into D of them."""
    rank = np.linspace(0, np.log(2048), features) if features < 2048 else np.log(np.arange(1, features + 1))
    return np.exp(np.interp(rank, *np.log(INCEPTION).T))


@dataclass(frozen=True)
class Model:
    """A generator with Gaussian features x = √s·(scale·z + U Vᵀ z) + shift; seeds are the latents z."""

    root_spectrum: np.ndarray  # √s [D]
    scale: float
    left: np.ndarray  # U [D, rank]
    right: np.ndarray  # V [D, rank]
    shift: np.ndarray  # [D]

    def features(self, z: np.ndarray) -> np.ndarray:
        return (self.scale * z + (z @ self.right) @ self.left.T) * self.root_spectrum + self.shift

    def moments(self, z: Moments) -> Moments:
        """Of the features, from those of the latents."""
        x = Moments()
        x.n = z.n
        x.mean = (self.scale * z.mean + self.left @ (self.right.T @ z.mean)) * self.root_spectrum + self.shift
        half = self.scale * z.scatter + self.left @ (self.right.T @ z.scatter)
        x.scatter = self.scale * half + (half @ self.right) @ self.left.T
        x.scatter *= self.root_spectrum[:, None]
        x.scatter *= self.root_spectrum
        return x

    def true_distance(self, reference: ReferenceStatistics, latents: "Latents") -> float:
        exact = Moments()
        exact.n, exact.mean = 10**9, np.zeros(len(self.shift))
        exact.scatter = latents.covariance * (exact.n - 1)
        return frechet_distance(reference, self.moments(exact))


BETWEEN = 0.5  # share of the latents' variance that is between classes
ANTITHETIC = -0.58  # correlation within a class, as of the features of the digits study


class Latents:
    """What the seeds give: z [n, D], of mean 0; normal, in each class around its own mean if there are classes."""

    def __init__(self, dimension: int, classes: int):
        means = np.random.default_rng(0).standard_normal((max(classes, 1), dimension))
        means -= means.mean(axis=0)
        self.means = np.sqrt(BETWEEN) * means
        self.within = np.sqrt(1 - BETWEEN) if classes else 1.0
        self.covariance = self.within**2 * np.eye(dimension) + self.means.T @ self.means / len(self.means)

    def draw(self, rng: np.random.Generator, images: int, kind: str) -> np.ndarray:
        """Of drawn or else of balanced classes; antithetic ones in pairs, as in `families.sampling.antithetic`."""
        count, dimension = self.means.shape
        classes = rng.integers(count, size=images) if kind == "drawn" else np.arange(images) % count
        noise = rng.standard_normal((images, dimension), np.float32)
        if kind == "antithetic":
            first, second = np.moveaxis(noise.reshape(-1, 2, count, dimension), 1, 0)  # views
            second *= np.sqrt(1 - ANTITHETIC**2)
            second += ANTITHETIC * first
        return self.within * noise + self.means[classes].astype(np.float32)


def model(spectrum: np.ndarray, scale: float, change: float, seed: int, rank: int = 16) -> Model:
    """`change` sets the size of a random low-rank map and of a random shift of the mean."""
    rng = np.random.default_rng(seed)
    root = np.sqrt(spectrum)
    left = change * rng.standard_normal((len(root), rank)) / np.sqrt(rank)
    right = rng.standard_normal((len(root), rank)) / np.sqrt(rank)
    return Model(root, scale, left, right, change * root * rng.standard_normal(len(root)))


def models(spectrum: np.ndarray) -> dict[str, Model]:
    """One model, one as close to it as the winners of a search are, and one as different as a collapsed model."""
    return {
        "first": model(spectrum, 0.985, 0.02, 1),
        "close": model(spectrum, 0.985, 0.021, 1),
        "different": model(spectrum, 0.97, 0.03, 2),
    }


def replicates(reference: ReferenceStatistics, blocks: list[Moments]) -> JackknifeReplicates:
    """`distances.delete_one_block_fids`; with many features by faster distances, to a part in ten thousand."""
    if len(reference.mean) < 1000 or np.count_nonzero(reference.covariance) > len(reference.mean):
        return delete_one_block_fids(reference, blocks)
    total = sum(blocks[1:], start=blocks[0])
    without = [distance_in_float32(reference, total - block) for block in blocks]
    return JackknifeReplicates(distance_in_float32(reference, total), np.array(without))


def distance_in_float32(reference: ReferenceStatistics, moments: Moments) -> float:
    """The Fréchet distance to a reference whose covariance is diagonal."""
    root = np.sqrt(np.diag(reference.covariance)).astype(np.float32)
    covariance = moments.covariance.astype(np.float32)
    roots = np.sqrt(eigvalsh(root[:, None] * covariance * root, check_finite=False).clip(min=0)).sum(dtype=float)
    step = moments.mean - reference.mean
    return float(step @ step + np.trace(moments.covariance) + np.trace(reference.covariance) - 2 * roots)


def coverage(
    features: int, images: int, blocks: int, studies: int, others: list[str], classes: int, draw: str
) -> list[dict]:
    """Simulate studies of the first model against each of `others`."""
    spectrum = spectrum_of(features)
    latents = Latents(features, classes)
    root = np.sqrt(spectrum)
    reference = reference_statistics(np.zeros(features), root[:, None] * latents.covariance * root)
    of = {name: one for name, one in models(spectrum).items() if name in ("first", *others)}
    true = {name: one.true_distance(reference, latents) for name, one in of.items()}
    rng = np.random.default_rng([features, images, blocks])
    found: dict[str, list[JackknifeReplicates]] = {name: [] for name in of}
    with suppress(KeyboardInterrupt):
        for _ in trange(studies, desc=f"{features} features, {images} images"):
            z = latents.draw(rng, images, draw)
            if images <= features:
                for name, one in of.items():
                    x = one.features(z)
                    found[name].append(delete_one_block_fids_of_features(reference, x, blocks))
            else:
                parts = [Moments(part) for part in np.split(z, blocks)]
                for name, one in of.items():
                    found[name].append(replicates(reference, [one.moments(part) for part in parts]))
    studies = min(map(len, found.values()))
    found = {name: fids[:studies] for name, fids in found.items()}
    rows = []
    for name in others:
        target = true["first"] - true[name]
        plain = np.array([a.full - b.full for a, b in zip(found["first"], found[name], strict=True)])
        intervals = [paired_difference(a, b) for a, b in zip(found["first"], found[name], strict=True)]
        corrected, low, high = np.array(intervals).T
        sd = corrected.std()
        rows.append(
            {
                "D": features,
                "n": images,
                "n/D": images / features,
                "K": blocks,
                **({"classes": draw} if classes else {}),
                "studies": studies,
                "models": name,
                "true difference": target,
                "sd": sd,
                "bias/sd, plain": (plain.mean() - target) / sd,
                "bias/sd, corrected": (corrected.mean() - target) / sd,
                "coverage, corrected": np.mean((low <= target) & (target <= high)),
                "coverage, plain": np.mean(np.abs(plain - target) <= (high - low) / 2),
                "FID": true["first"],
                "its sd": np.std([a.full for a in found["first"]]),
                "its bias, plain": np.mean([a.full for a in found["first"]]) - true["first"],
                "its bias, corrected": np.mean([a.pseudo_values for a in found["first"]]) - true["first"],
            }
        )
    return rows


def cost(blocks: int = 10) -> list[dict]:
    """Seconds for one FID, and for it with its delete-one-block replicates."""
    rows = []
    for features, images in ((64, 5000), (2048, 500), (2048, 1000), (2048, 2000), (2048, 5000)):
        reference = reference_statistics(np.zeros(features), np.diag(np.arange(1, features + 1) ** -1.0))
        x = np.random.default_rng(0).standard_normal((images, features), dtype=np.float32)
        if images > features:  # the moments are there already, from streaming; their cost is not counted
            parts = [Moments(part) for part in np.split(x, blocks)]
            total = sum(parts[1:], start=parts[0])
            one = partial(frechet_distance, reference, total)
            replicates = partial(delete_one_block_fids, reference, parts)
        else:
            one = partial(frechet_distance_of_features, reference, x)
            replicates = partial(delete_one_block_fids_of_features, reference, x, blocks)
        rows.append(
            {
                "features": features,
                "images": f"{images}" if images < features else "more than features",
                "blocks": blocks,
                "seconds_fid": best_of(one),
                "seconds_with_replicates": best_of(replicates),
            }
        )
    return rows


def best_of(run: Callable, repeats: int = 3) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def markdown(rows: list[dict]) -> str:
    """A table of rows with the same keys."""
    lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0])]
    lines += [" | ".join(cell(value) for value in row.values()) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=64, help="D")
    parser.add_argument("--images", type=int, nargs="+", default=[2000], help="n of a study")
    parser.add_argument("--blocks", type=int, nargs="+", default=[10], help="K")
    parser.add_argument("--studies", type=int, default=500)
    both = ["close", "different"]
    parser.add_argument("--models", nargs="+", choices=both, default=both, help="to compare the first with")
    parser.add_argument(
        "--classes", type=int, default=0, help="of the images; 0: the features are Gaussian as a whole"
    )
    parser.add_argument(
        "--draw",
        nargs="+",
        choices=["drawn", "balanced", "antithetic"],
        default=["drawn"],
        help="of the classes; antithetic: balanced, in pairs of correlated images",
    )
    parser.add_argument("--cost", action="store_true", help="time the replicates instead")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    args = parser.parse_args()
    rows = cost() if args.cost else []
    for images, blocks, draw in [] if args.cost else product(args.images, args.blocks, args.draw):
        rows += coverage(args.features, images, blocks, args.studies, args.models, args.classes, draw)
        if args.json:
            args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(markdown(rows))


if __name__ == "__main__":
    main()
