"""How noisy the FID of few images is, by how their classes come about.

    python benchmarks/classes.py draw results/digits --kimg 12 --images 1500 --out benchmarks/surface-12
    python benchmarks/classes.py noise benchmarks/surface-12 --repetitions 400

`draw` keeps the features of the images of every point of a lattice of weights, all from the same seeds; killed, it
goes on where it was. `noise` computes from these files alone: a repetition resamples the seeds, class by class.
"""

import argparse
import shutil
from itertools import product
from pathlib import Path

import numpy as np
from adaptive_neon.evaluation.distances import Moments, frechet_distance
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.merging.grid import Point, grid, parse_point, point_name

BLOCKS = ("enc", "mid", "dec")
LATTICE = (0.0, 0.5, 1.0, 1.5)  # of each block
FIRST_SEED = 2_000_000_000  # far from those of any study
CLASSES = 10


def features_of(study: Path, kimg: int, points: list[Point], seeds: range):
    """Features [N, D] of the images of each point, one after the other, and their classes."""
    from adaptive_neon.evaluation.features import extract_features, load_extractor
    from adaptive_neon.families import family_of
    from adaptive_neon.families.batches import batch_size
    from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
    from adaptive_neon.families.loading import load
    from adaptive_neon.families.sampling import balanced_classes
    from adaptive_neon.jobs.files import read_json
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.extrapolation import Merged
    from adaptive_neon.studies.config import block_patterns

    config = read_json(study / "provenance.json")["config"]
    base = read_checkpoint(study / "base/model.safetensors")
    tuned = read_checkpoint(study / f"replica-0/finetune/{kimg}/model.safetensors")
    block_of = assign_blocks(base.weights, block_patterns(config))
    extract = load_extractor(study / f"reference/{config['features']['extractor']}.safetensors", "cpu")
    family, batch = family_of(base.architecture), batch_size("cpu", base.architecture["img_resolution"])
    for point in points:
        network = load(Checkpoint(Merged(base.tensors, tuned.tensors, point, block_of), base.architecture)).eval()
        parts = []
        for start in range(0, len(seeds), batch):
            chunk = seeds[start : start + batch]
            images, _ = family.draw(
                network, chunk, sampler=config["sampler"], classes=balanced_classes(chunk, network.label_dim)
            )
            parts.append(images.numpy())
        yield extract_features(extract, np.concatenate(parts))


def draw(study: Path, kimg: int, images: int, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(study / "reference/digits.npz", out / "reference.npz")
    points = grid(dict.fromkeys(BLOCKS, LATTICE))
    missing = [point for point in points if not (out / f"{point_name(point)}.npy").exists()]
    seeds = range(FIRST_SEED, FIRST_SEED + images)
    for point, features in zip(missing, features_of(study, kimg, missing, seeds), strict=True):
        np.save(out / "part.npy", features.astype(np.float32))
        (out / "part.npy").rename(out / f"{point_name(point)}.npy")
        print(point_name(point), flush=True)


class World:
    """What is known of the images at every point of a lattice of weights."""

    def __init__(self, folder: Path):
        self.points = [point_name(point) for point in grid(dict.fromkeys(BLOCKS, LATTICE))]
        self.features = np.stack([np.load(folder / f"{name}.npy") for name in self.points])  # [P, N, D]
        self.reference = read_reference(folder / "reference.npz").statistics

    def seeds(self, rng: np.random.Generator, count: int, balanced: bool = True) -> np.ndarray:
        """Places of resampled images, class by class."""
        of_class = self.features.shape[1] // CLASSES
        classes = np.arange(count) % CLASSES if balanced else rng.integers(CLASSES, size=count)
        return classes + CLASSES * rng.integers(of_class, size=count)


def noise(world: World, repetitions: int) -> None:
    """Print the noise of the FID of one model by how the classes of its images come about."""
    rng = np.random.default_rng(0)
    print("| weight | images | classes | mean | sd |")
    print("| --- | --- | --- | --- | --- |")
    for index, name in (
        (0, world.points[0]),
        *((i, n) for i, n in enumerate(world.points) if set(parse_point(n).values()) == {0.5}),
    ):
        for images, classes in product((300, 600), ("drawn", "balanced")):
            fids = []
            for _ in range(repetitions):
                seeds = world.seeds(rng, images, classes == "balanced")
                fids.append(frechet_distance(world.reference, Moments(world.features[index, seeds].astype(float))))
            print(
                f"| {name} | {images} | {classes} | {np.mean(fids):.3f} | {np.std(fids, ddof=1):.3f} |", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="keep the features of the images of a lattice of points")
    drawing.add_argument("study", type=Path)
    drawing.add_argument("--kimg", type=int, default=12)
    drawing.add_argument("--images", type=int, default=20_000, help="of each point; fewer take less time")
    drawing.add_argument("--out", type=Path, required=True)
    resampling = commands.add_parser("noise", help="print mean and standard deviation of the FID")
    resampling.add_argument("folder", type=Path, help="that draw made")
    resampling.add_argument("--repetitions", type=int, default=400)
    args = parser.parse_args()
    if args.command == "draw":
        draw(args.study, args.kimg, args.images, args.out)
    else:
        noise(World(args.folder), args.repetitions)


if __name__ == "__main__":
    main()
