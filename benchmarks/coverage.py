"""How often the 95 % interval of a FID difference holds the true difference, in simulated studies.

    python benchmarks/coverage.py --features 64 --images 600 3000 --studies 1000
    python benchmarks/coverage.py --features 2048 --images 1000 --studies 500
    python benchmarks/coverage.py --cost

Features are Gaussian, so the true distances are known. Prints Markdown tables; --json writes the same figures to a
file, also while it runs.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from adaptive_neon.intervals import delete_one_block_fids, delete_one_block_fids_of_features, paired_difference
from adaptive_neon.metrics import (
    Moments,
    Reference,
    frechet_distance,
    frechet_distance_of_features,
    reference_from,
)


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

    def true_distance(self, reference: Reference) -> float:
        transform = self.scale * np.eye(len(self.shift)) + self.left @ self.right.T
        exact = Moments()
        exact.n, exact.mean = 10**9, self.shift
        transform *= self.root_spectrum[:, None]
        exact.scatter = (transform @ transform.T) * (exact.n - 1)
        return frechet_distance(reference, exact)


def model(spectrum: np.ndarray, scale: float, change: float, seed: int, rank: int = 16) -> Model:
    """`change` sets the size of a random low-rank map and of a random shift of the mean."""
    rng = np.random.default_rng(seed)
    root = np.sqrt(spectrum)
    left = change * rng.standard_normal((len(root), rank)) / np.sqrt(rank)
    right = rng.standard_normal((len(root), rank)) / np.sqrt(rank)
    return Model(root, scale, left, right, change * root * rng.standard_normal(len(root)))


def pairs(spectrum: np.ndarray) -> dict[str, tuple[Model, Model]]:
    """Two models as close as the winners of a search, and two as different as a base model and a collapsed one."""
    base = model(spectrum, 0.985, 0.02, 1)
    return {
        "close": (base, model(spectrum, 0.985, 0.021, 1)),
        "different": (base, model(spectrum, 0.97, 0.03, 2)),
    }


# Eigenvalues (their rank, their size) of the covariance of Inception's features of 4,000 images of CIFAR-10.
INCEPTION = np.array(
    [(1, 12.5), (11, 2.48), (31, 1.01), (101, 0.354), (301, 0.0964), (601, 0.0286), (1001, 0.0100), (2048, 0.0015)]
)


def spectrum_of(features: int) -> np.ndarray:
    """Eigenvalues [D] that fall as those of Inception's features do, squeezed into D of them."""
    rank = np.linspace(0, np.log(2048), features) if features < 2048 else np.log(np.arange(1, features + 1))
    return np.exp(np.interp(rank, *np.log(INCEPTION).T))


def coverage(features: int, images: int, blocks: int, studies: int) -> list[dict]:
    """Simulate studies of both pairs."""
    spectrum = spectrum_of(features)
    reference = reference_from(np.zeros(features), np.diag(spectrum))
    rows = []
    for name, pair in pairs(spectrum).items():
        true = [one.true_distance(reference) for one in pair]
        rng = np.random.default_rng([features, images, blocks])
        plain, corrected, low, high, full, single = np.empty((6, studies))
        for study in range(studies):
            z = rng.standard_normal((images, features))
            fids = [delete_one_block_fids_of_features(reference, one.features(z), blocks) for one in pair]
            plain[study] = fids[0].full - fids[1].full
            corrected[study], low[study], high[study] = paired_difference(*fids)
            full[study], single[study] = fids[0].full, fids[0].pseudo_values.mean()
        target = true[0] - true[1]
        half = (high - low) / 2
        sd = plain.std()
        rows.append(
            {
                "D": features,
                "n": images,
                "K": blocks,
                "studies": studies,
                "pair": name,
                "true difference": target,
                "sd of difference": sd,
                "bias/sd, plain": (plain.mean() - target) / sd,
                "bias/sd, corrected": (corrected.mean() - target) / sd,
                "coverage, plain": np.mean(np.abs(plain - target) <= half),
                "coverage, corrected": np.mean((low <= target) & (target <= high)),
                "FID bias, plain": full.mean() - true[0],
                "FID bias, corrected": single.mean() - true[0],
            }
        )
    return rows


def cost(blocks: int = 10) -> list[dict]:
    """Seconds for one FID, and for it with its delete-one-block replicates."""
    rows = []
    for features, images in ((64, 5000), (2048, 500), (2048, 1000), (2048, 2000), (2048, 5000)):
        reference = reference_from(np.zeros(features), np.diag(np.arange(1, features + 1) ** -1.0))
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
    parser.add_argument("--cost", action="store_true", help="time the replicates instead")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    args = parser.parse_args()
    if args.cost:
        rows = cost()
    else:
        rows = []
        for images, blocks in product(args.images, args.blocks):
            rows += coverage(args.features, images, blocks, args.studies)
    print(markdown(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
