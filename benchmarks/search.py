"""How much FID a search of the weights loses, over the images that it draws.

    python benchmarks/search.py draw results/digits --kimg 12 --images 20000 --out benchmarks/surface-12
    python benchmarks/search.py check results/digits benchmarks/surface-12 --kimg 12
    python benchmarks/search.py regret benchmarks/surface-12 --repetitions 200
    python benchmarks/search.py noise benchmarks/surface-12 --repetitions 200

`draw` keeps the features of the images of every point of a lattice of weights, all from the same seeds; killed, it goes
on where it was. Everything else computes from these files alone. A repetition of a search resamples the seeds, class by
class; at a point between those of the lattice, mean and second moments of the features are interpolated, which `check`
compares with images drawn there. The truth is that of all images at once.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from adaptive_neon.merging.grid import Point, point_name

LATTICE = (0.0, 0.5, 1.0, 1.5)  # of each block
FIRST_SEED = 2_000_000_000  # far from those of any study


def features_of(study: Path, kimg: int, points: list[Point], seeds: range):
    """Features [N, D] of the images of each point, one after the other, and their classes."""
    from adaptive_neon.evaluation.features import extract_features, load_extractor
    from adaptive_neon.families import family_of
    from adaptive_neon.families.batches import batch_size
    from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
    from adaptive_neon.families.loading import load
    from adaptive_neon.families.sampling import balanced_classes
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.extrapolation import Merged
    from adaptive_neon.studies.config import block_patterns
    from adaptive_neon.jobs.files import read_json

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
    blocks = ("enc", "mid", "dec")
    points = [dict(zip(blocks, weights, strict=True)) for weights in product(LATTICE, repeat=len(blocks))]
    missing = [point for point in points if not (out / f"{point_name(point)}.npy").exists()]
    seeds = range(FIRST_SEED, FIRST_SEED + images)
    for point, features in zip(missing, features_of(study, kimg, missing, seeds), strict=True):
        np.save(out / "part.npy", features.astype(np.float32))
        (out / "part.npy").rename(out / f"{point_name(point)}.npy")
        print(point_name(point), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw")
    drawing.add_argument("study", type=Path)
    drawing.add_argument("--kimg", type=int, default=12)
    drawing.add_argument("--images", type=int, default=20_000, help="of each point of the lattice")
    drawing.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.command == "draw":
        draw(args.study, args.kimg, args.images, args.out)


if __name__ == "__main__":
    main()
