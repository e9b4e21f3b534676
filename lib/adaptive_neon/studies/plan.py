"""What a configuration asks for: points, cells, snapshots, seeds."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from adaptive_neon.families.batches import LARGEST
from adaptive_neon.merging.grid import Point, cell_name, cells, diagonal
from adaptive_neon.search.points import search_points
from adaptive_neon.search.settings import combinations
from adaptive_neon.studies.config import block_patterns, search_control

BASE_KIMG = 0  # the snapshot before any self-training: θ_s = θ_r
POOL = "points"  # the cell of all points of a search of few and small images
POOLED = 5000  # images at most


class Study:
    """A checked configuration, read."""

    def __init__(self, config: Mapping):
        self.config = config
        self.blocks = list(block_patterns(config))
        self.replicas = range(config["replicas"])
        self.snapshots: list[int] = config["finetune"]["snapshots_kimg"]
        weights = sorted(map(float, config["grid"]["weights"]))
        self.method: str = config["search"]["method"]
        self.rounds = range(1, config["search"]["rounds"] + 1)
        self.control = search_control(config)
        self.region = weights[0], weights[-1]  # of every block
        self.search_points = search_points(self.method, self.blocks, weights)
        self.settings = combinations(config["grid"].get("sampler", {}))
        single = sorted({0.0, *weights, *config["grid"]["diagonal"]})  # 0: all others are compared with it
        self.diagonal_points = diagonal(self.blocks, single)
        self.points = [*self.search_points, *(p for p in self.diagonal_points if p not in self.search_points)]
        training = config["base"]["training"]
        self.trained = 1000 * training["kimg"] if training else None  # images that θ_r has seen, if made here
        self.base_point = dict.fromkeys(self.blocks, 0.0)
        self.collapsed_point = dict.fromkeys(self.blocks, -1.0)

    def cells(self, drawn: Sequence[Point] | None = None) -> dict[str, list[Point]]:
        """The cells of the first round of a search, each with its points; the base model has one of its own.

        Starting a process takes as long as drawing several points of the small images of the digits classifier,
        of which up to `POOLED` are in one cell, `POOL`. It stays as it was drawn; new points go to cells by their
        weights.

        Args:
            drawn: the points in the pool of a snapshot, None if there is none yet.
        """
        others = [point for point in self.points if point != self.base_point]
        if drawn and all(list(point) == self.blocks for point in drawn):
            pool = list(drawn)
        else:
            small = self.config["features"]["extractor"] == "digits"
            pool = others if small and len(others) * self.config["search"]["images"] <= POOLED else []
        pooled = {POOL: pool} if pool else {}
        return {
            cell_name(self.base_point): [self.base_point],
            **pooled,
            **cells(point for point in others if point not in pool),
        }

    def previous_snapshot(self, kimg: int) -> int:
        """The snapshot that training to `kimg` continues from, `BASE_KIMG` for the first."""
        return max((snapshot for snapshot in self.snapshots if snapshot < kimg), default=BASE_KIMG)

    def seeds(self, images: str, replica: int, round_: int = 1, control: bool = False) -> tuple[int, int]:
        """First seed and number of the images named `synthetic`, `search` or `heldout` in a replica.

        Args:
            round_: of the search, from 1 on; each has seeds of its own.
            control: of the base model in a search, which draws further images as a control variate.
        """
        section = self.config[images]
        count = section["images"]
        whole = count * (1 + self.control) if images == "search" else count
        first = section["first_seed"] + (round_ - 1) * whole
        return first + replica * self.config["replica_stride"], whole if control else count

    def step_seeds(self, replica: int) -> tuple[int, int]:
        """First seed and number of the images of all steps of a search by gradients, after those that choose."""
        first, count = self.seeds("search", replica)
        descent = self.config["search"]["gradient"]
        return first + count, descent["steps"] * descent["images"]

    def shards(
        self, images: str, replica: int, shards: int, round_: int = 1, control: bool = False
    ) -> list[tuple[int, int]]:
        """First seed and number of the images of each of so many shards, or of fewer.

        A shard is whole sampling batches: an image depends, by rounding, on the batch that it is drawn in.
        """
        first, count = self.seeds(images, replica, round_, control)
        batch = self.config["run"]["sampling_batch"] or LARGEST
        batches = math.ceil(count / batch)
        shards = min(shards, batches)
        bounds = [min(i * batches // shards * batch, count) for i in range(shards + 1)]
        return [(first + start, stop - start) for start, stop in pairwise(bounds)]

    def finetune_seed(self, replica: int) -> int:
        """The seed of a replica's self-training."""
        return self.config["finetune"]["seed"] + replica * self.config["replica_stride"]
