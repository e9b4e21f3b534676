"""How much FID a search of the weights loses, over the images that it draws.

    python benchmarks/search.py draw results/digits --kimg 12 --images 20000 --out benchmarks/surface-12
    python benchmarks/search.py regret benchmarks/surface-12 --repetitions 100
    python benchmarks/search.py noise benchmarks/surface-12 --repetitions 100

`draw` keeps the features of the images of every point of a lattice of weights, and of a few points between, all
from the same seeds, in antithetic pairs; killed, it goes on where it was. The others compute from these alone. A
repetition of a search resamples the images, class by class, one by one or in pairs; between the points of the
lattice, mean and second moments of the features are interpolated, which `regret` checks at the points between. The
truth is that of all images of the lattice, taken as the population.
"""

import argparse
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from adaptive_neon.evaluation.control import controlled_fids
from adaptive_neon.evaluation.distances import (
    Moments,
    ReferenceStatistics,
    delete_one_block_fids,
    frechet_distance,
)
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.merging.grid import Point, grid, parse_point, point_name
from adaptive_neon.search.points import search_points
from adaptive_neon.search.rounds import next_points, winners
from adaptive_neon.search.selection import search_metrics
from adaptive_neon.search.surface import as_places, as_points
from scipy.optimize import minimize

BLOCKS = ("enc", "mid", "dec")
LATTICE = (0.0, 0.5, 1.0)  # of each block
BETWEEN = as_points(
    BLOCKS,
    np.array([(0.25, 0.25, 0.25), (0.75, 0.75, 0.75), (0.25, 0.75, 0.5), (0.75, 0.25, 0.75), (0.5, 0.25, 1.0)]),
)
FIRST_SEED = 2_000_000_000  # far from those of any study
SEED_BLOCKS = 10
CLASSES = 10


def features_of(study: Path, kimg: int, point: Point, seeds: range) -> np.ndarray:
    """Features [N, D] of the images of a point, from antithetic starting noise, drawn in one thread."""
    import torch
    from adaptive_neon.evaluation.features import extract_features, load_extractor
    from adaptive_neon.families import family_of
    from adaptive_neon.families.batches import batch_size
    from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
    from adaptive_neon.families.loading import load
    from adaptive_neon.families.sampling import antithetic, balanced_classes
    from adaptive_neon.jobs.files import read_json
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.extrapolation import Merged
    from adaptive_neon.studies.config import block_patterns

    torch.set_num_threads(1)
    config = read_json(study / "provenance.json")["config"]
    base = read_checkpoint(study / "base/model.safetensors")
    tuned = read_checkpoint(study / f"replica-0/finetune/{kimg}/model.safetensors")
    block_of = assign_blocks(base.weights, block_patterns(config))
    extract = load_extractor(study / f"reference/{config['features']['extractor']}.safetensors", "cpu")
    family, batch = family_of(base.architecture), batch_size("cpu", base.architecture["img_resolution"])
    network = load(Checkpoint(Merged(base.tensors, tuned.tensors, point, block_of), base.architecture)).eval()
    parts = []
    for start in range(0, len(seeds), batch):
        chunk = seeds[start : start + batch]
        images, _ = family.draw(
            network,
            antithetic(chunk, CLASSES),
            sampler=config["sampler"],
            classes=balanced_classes(chunk, CLASSES),
        )
        parts.append(extract_features(extract, images.numpy()))
    return np.concatenate(parts)


def draw(study: Path, kimg: int, images: int, weights: list[float], processes: int, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(study / "reference/digits.npz", out / "reference.npz")
    points = [*grid(dict.fromkeys(BLOCKS, weights)), *BETWEEN]
    missing = [point for point in points if not (out / f"{point_name(point)}.npy").exists()]
    seeds = range(FIRST_SEED, FIRST_SEED + images)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        drawing = {pool.submit(features_of, study, kimg, point, seeds): point_name(point) for point in missing}
        for done in as_completed(drawing):
            np.save(out / "part.npy", done.result().astype(np.float32))
            (out / "part.npy").rename(out / f"{drawing[done]}.npy")
            print(drawing[done], flush=True)


class World:
    """What is known of the images at every point of a lattice of weights: FID anywhere between, of any of the
    seeds."""

    def __init__(self, folder: Path):
        self.folder = folder
        drawn = [point for file in folder.glob("*~*.npy") if (point := parse_point(file.stem)) not in BETWEEN]
        nodes = sorted({w for point in drawn for w in point.values()})
        self.points = [point_name(point) for point in grid(dict.fromkeys(BLOCKS, nodes))]
        self.axes = [tuple(nodes)] * len(BLOCKS)
        self.features = np.stack([np.load(folder / f"{name}.npy") for name in self.points])  # [P, N, D]
        self.reference = read_reference(folder / "reference.npz").statistics
        self.whole = moments_of(self.features)

    def mix(self, place: np.ndarray) -> np.ndarray:
        """How much of each point [P] gives a place between them: Lagrange's polynomials, axis by axis."""
        shares = np.ones(1)
        for w, nodes in zip(place, self.axes, strict=True):
            own = [np.prod([(w - other) / (node - other) for other in nodes if other != node]) for node in nodes]
            shares = np.multiply.outer(shares, own).ravel()
        return shares

    def truth(self, place: np.ndarray) -> float:
        """FID of all images there are, taken as the whole population."""
        return fid(self.reference, *mixed(self.whole, self.mix(place)), 10**9)

    def between(self) -> list[tuple[str, float, float]]:
        """Name, interpolated FID, and that of its own images, of each point that was drawn between."""
        found = []
        for name, place in zip(map(point_name, BETWEEN), as_places(BETWEEN), strict=True):
            means, seconds = moments_of(np.load(self.folder / f"{name}.npy")[None])
            found.append((name, self.truth(place), fid(self.reference, means[0], seconds[0], 10**9)))
        return found

    def seeds(self, rng: np.random.Generator, count: int, kind: str = "independent") -> np.ndarray:
        """Places of resampled images: of `drawn` or else of balanced classes; antithetic pairs side by side."""
        images = self.features.shape[1]
        if kind == "antithetic":
            classes = np.arange(count // 2) % CLASSES
            first = classes + 2 * CLASSES * rng.integers(images // (2 * CLASSES), size=count // 2)
            return np.stack([first, first + CLASSES], axis=1).ravel()
        classes = rng.integers(CLASSES, size=count) if kind == "drawn" else np.arange(count) % CLASSES
        return classes + CLASSES * rng.integers(images // CLASSES, size=count)


def moments_of(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means [P, D] and second moments [P, D, D] of features [P, N, D]."""
    return features.mean(axis=1, dtype=float), np.stack([(x.T @ x).astype(float) / len(x) for x in features])


def mixed(moments: tuple[np.ndarray, np.ndarray], shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return shares @ moments[0], np.tensordot(shares, moments[1], 1)


def as_moments(mean: np.ndarray, second: np.ndarray, images: int) -> Moments:
    moments = Moments()
    moments.n, moments.mean, moments.scatter = images, mean, (second - np.outer(mean, mean)) * images
    return moments


def fid(reference: ReferenceStatistics, mean: np.ndarray, second: np.ndarray, images: int) -> float:
    return frechet_distance(reference, as_moments(mean, second, images))


@dataclass
class Images:
    """The images of one round of a search, on seeds of its own; it counts what is drawn of them.

    With more seeds than `count`, those beyond are drawn from the base model alone, the first of the lattice, as a
    control variate (see `evaluation.control`).
    """

    world: World
    seeds: np.ndarray
    count: int
    drawn: int = 0
    known: dict = field(default_factory=dict)  # index of a point of the lattice, further images or not → moments

    def moments(self, index: int, further: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
        """Means [D] and second moments [D, D] of a point of the lattice, of each block of seeds."""
        if (index, further) not in self.known:
            count = len(self.seeds) if further else self.count
            self.known[index, further] = [
                tuple(one[0] for one in moments_of(self.world.features[index : index + 1, part]))
                for part in self.seeds.reshape(SEED_BLOCKS, -1)[:, : count // SEED_BLOCKS]
            ]
        return self.known[index, further]

    def measure(self, names: list[str]) -> dict[str, dict]:
        """Metrics as in metrics.json."""
        self.drawn += len(names) * self.count
        if len(self.seeds) > self.count:
            self.drawn += len(self.seeds) - self.count * (self.world.points[0] in names)
        return {name: self._metrics(self.world.mix(as_places([parse_point(name)])[0])) for name in names}

    def _metrics(self, shares: np.ndarray) -> dict:
        used = np.flatnonzero(shares)
        parts = [
            [np.tensordot(shares[used], np.stack(of_points), 1) for of_points in zip(*block, strict=True)]
            for block in zip(*map(self.moments, used), strict=True)
        ]
        of_block = self.count // SEED_BLOCKS
        own = [as_moments(*part, of_block) for part in parts]
        if len(self.seeds) > self.count:
            same = [as_moments(*part, of_block) for part in self.moments(0)]
            further = self.moments(0, further=True)
            whole = [as_moments(*part, len(self.seeds) // SEED_BLOCKS) for part in further]
            fids = controlled_fids(self.world.reference, own, same, whole)
        else:
            fids = delete_one_block_fids(self.world.reference, own)
        about = {"images": len(self.seeds), "dimension": self.world.features.shape[2]}
        return about | {"fid": fids.full, "without_block": {"fid": fids.without.tolist()}}


@dataclass(frozen=True)
class Search:
    """A search as a configuration asks for it; images are of each point in each round."""

    method: str
    images: int
    rounds: int
    weights: tuple[float, ...]
    control: int = 0  # further images of the base model
    noise: str = "independent"  # or antithetic
    corrected: bool = False  # by FIDs that are free of the bias a/n, in place of plain ones

    def points(self) -> list[str]:
        return list(map(point_name, search_points(self.method, BLOCKS, self.weights)))

    def run(self, world: World, rng: np.random.Generator) -> tuple[dict, int]:
        """What it finds, and how many images it draws for it."""
        limits = self.weights[0], self.weights[-1]
        first = names = self.points()
        rounds, drawn = [], 0
        for _ in range(self.rounds):
            if rounds:
                names = next_points(self.method, limits, first, rounds)
            seeds = world.seeds(rng, self.images + self.control, self.noise)
            images = Images(world, seeds, self.images)
            metrics = images.measure(names)
            if self.corrected:
                metrics = {name: search_metrics(one | {"controlled": one}) for name, one in metrics.items()}
            rounds.append(metrics)
            drawn += images.drawn
        return winners(self.method, limits, first, rounds), drawn


NARROW, DEFAULT, WIDE = (0.5, 0.75, 1.0), (0.0, 0.5, 1.0), (0.0, 0.75, 1.5)
SEARCHES = [
    *(Search("grid", images, 1, weights) for weights in (DEFAULT, NARROW) for images in (600, 100, 200, 300)),
    *(
        Search("surface", images, 1, weights, control * images, noise, corrected)
        for weights, noise, (control, corrected), images in product(
            (DEFAULT, NARROW),
            ("independent", "antithetic"),
            ((0, False), (0, True), (5, False), (5, True)),
            (100, 200, 300, 400, 600),
        )
        if not (noise == "antithetic" and images == 300)  # whole pairs of ten classes in ten blocks
    ),
    *(Search("surface", images, 2, NARROW) for images in (100, 300)),
    *(Search("surface", images, rounds, WIDE) for images in (300, 600) for rounds in (1, 2)),
    *(Search("race", images, rounds, NARROW) for images, rounds in ((100, 3), (200, 3))),
]


def regret(world: World, repetitions: int, searches: list[Search]) -> None:
    """Print what each search loses: FID of what it finds − the lowest there is, by all images."""
    start = np.full(len(BLOCKS), 0.75)
    bounds = [(axis[0], axis[-1]) for axis in world.axes]
    best = minimize(world.truth, start, bounds=bounds, method="Nelder-Mead")
    line = minimize(lambda w: world.truth(np.full(len(BLOCKS), w[0])), [0.75], method="Nelder-Mead")
    print(f"{world.features.shape[1]} images a point; weights of the lattice {world.axes[0]}")
    print(f"lowest FID {best.fun:.4f} at {np.round(best.x, 2)}; single {line.fun:.4f} at {line.x[0]:.2f};")
    print(f"base {world.truth(np.zeros(len(BLOCKS))):.4f}")
    for name, interpolated, own in world.between():
        print(f"between, at {name}: interpolated {interpolated:.4f}, by its own images {own:.4f}")
    print(
        "| search | noise | weights | FID | images a point | rounds | of the base | images | regret, blocks "
        "| regret, single | single weight, its mean and sd | 95 % interval covers the best |"
    )
    print(f"|{' --- |' * 12}")
    for search in searches:
        if search.weights[-1] > world.axes[0][-1]:
            continue
        rng = np.random.default_rng(0)
        lost, images, singles, covers = [], [], [], []
        for _ in range(repetitions):
            found, drawn = search.run(world, rng)
            images.append(drawn)
            singles.append(next(iter(parse_point(found["global"]).values())))
            if interval := found.get("surface", {}).get("single_interval"):
                covers.append(interval[0] <= line.x[0] <= interval[1])
            lost.append(
                [
                    world.truth(as_places([parse_point(found[role])])[0]) - of.fun
                    for role, of in (("blockwise", best), ("global", line))
                ]
            )
        mean, error = np.mean(lost, axis=0), np.std(lost, axis=0, ddof=1) / np.sqrt(repetitions)
        cells = [f"{m:.4f} ± {e:.4f}" for m, e in zip(mean, error, strict=True)]
        cells.append(f"{np.mean(singles):.2f}, {np.std(singles):.2f}")
        cells.append(f"{np.mean(covers):.0%} of {len(covers)}" if covers else "")
        span = f"{search.weights[0]:g}–{search.weights[-1]:g}"
        kind, drawn = "corrected" if search.corrected else "plain", f"{np.mean(images):.0f}"
        asked = search.images, search.rounds, search.control
        row = [search.method, search.noise, span, kind, *asked, drawn, *cells]
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def noise(world: World, repetitions: int) -> None:
    """Print the noise of FIDs and of the minimum of a parabola through three, by how images come about."""
    rng = np.random.default_rng(0)
    weights = (0.0, 0.5, 1.0)
    points = [world.points.index(point_name(dict.fromkeys(BLOCKS, w))) for w in weights]
    pairs = world.features[points].astype(float).reshape(len(points), -1, 2, CLASSES, world.features.shape[2])
    first, second = np.moveaxis(pairs - pairs.mean(axis=(1, 2), keepdims=True), 2, 0)
    alike = [2 * (a * b).sum() / ((a * a).sum() + (b * b).sum()) for a, b in zip(first, second, strict=True)]
    print(f"correlation of antithetic features within a class, at 0, 0.5, 1: {np.round(alike, 2)}")
    print("| images | of | sd of the FID at 0, 0.5, 1 | its mean | sd of FID(0) − FID(0.5) | sd of the minimum |")
    print("| --- | --- | --- | --- | --- | --- |")
    for images, kind in product((200, 300, 400, 600), ("drawn", "independent", "antithetic")):
        fids = []
        for _ in range(repetitions):
            seeds = world.seeds(rng, images, kind)
            sets = world.features[points][:, seeds].astype(float)
            fids.append([frechet_distance(world.reference, Moments(x)) for x in sets])
        low, middle, high = np.array(fids).T
        vertex = 0.5 - 0.25 * (high - low) / (high - 2 * middle + low)
        deviations, means = (", ".join(f"{v:.3f}" for v in of(fids, axis=0)) for of in (np.std, np.mean))
        row = [images, kind, deviations, means, f"{np.std(low - middle):.3f}", f"{np.std(vertex):.2f}"]
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="keep the features of the images of a lattice of points")
    drawing.add_argument("study", type=Path)
    drawing.add_argument("--kimg", type=int, default=12)
    drawing.add_argument("--images", type=int, default=20_000, help="of each point; fewer take less time")
    drawing.add_argument("--weights", type=float, nargs="+", default=LATTICE, help="of each block, in the lattice")
    drawing.add_argument("--processes", type=int, default=os.cpu_count(), help="that draw, in a thread each")
    drawing.add_argument("--out", type=Path, required=True)
    for name, repetitions in (("regret", 100), ("noise", 400)):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path, help="that draw made")
        command.add_argument("--repetitions", type=int, default=repetitions)
    args = parser.parse_args()
    if args.command == "draw":
        draw(args.study, args.kimg, args.images, args.weights, args.processes, args.out)
    elif args.command == "regret":
        regret(World(args.folder), args.repetitions, SEARCHES)
    else:
        noise(World(args.folder), args.repetitions)


if __name__ == "__main__":
    main()
