"""The layer-wise study of the 2-D Gaussian against the published notebook's way of doing it, in one run.

    python benchmarks/toy_layerwise.py             # all 5,832 models
    python benchmarks/toy_layerwise.py --every 10  # every tenth of them; the time of the grids times ten

The notebook's way: one model at a time, a copy of the network with merged parameters; all points at once; new
random numbers for every evaluation, also where the sampler multiplies them by zero; NumPy's covariance and
SciPy's matrix root. Both ways evaluate the same merged models of one θ_r and θ_s, trained here first, at 10,000
samples, and verify each δ's winner at 1,000,000.
"""

import argparse
import copy
import time

import numpy as np
import torch
from adaptive_neon.merging.grid import parse_point, point_name
from adaptive_neon.search.selection import best_point
from adaptive_neon.toy import study
from adaptive_neon.toy.diffusion import Diffusion, alpha_bar
from adaptive_neon.toy.gaussian import stream
from adaptive_neon.toy.published import LAYERWISE, SINGLE_WEIGHT
from scipy.linalg import sqrtm
from torch import nn

FAMILY = Diffusion()
SEARCH, VERIFICATION = 10_000, 1_000_000
TRUTH = np.array([[2.0, 1.0], [1.0, 2.0]])


class Network(nn.Module):
    """The same network, layer by layer."""

    def __init__(self, model):
        super().__init__()
        self.layers = nn.ModuleDict()
        for name in FAMILY.blocks:
            weight, bias = torch.from_numpy(model[f"{name}.weight"]), torch.from_numpy(model[f"{name}.bias"][:, 0])
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": bias})
            self.layers[name] = layer

    def forward(self, x, t, steps):
        h = torch.hstack([x, t.float() / (steps - 1)])
        for name, layer in self.layers.items():
            h = layer(h).relu() if name.startswith("block") else layer(h)
        return h


@torch.no_grad()
def sample_alone(network, n, steps=20):
    """DDIM with the predicted clean point written out, to t = 0 included."""
    schedule = alpha_bar(steps).float()
    x = torch.randn(n, 2)
    for t in range(steps - 1, -1, -1):
        epsilon = network(x, torch.full((n, 1), t), steps)
        now = schedule[t]
        to = schedule[t - 1] if t else torch.tensor(1.0)
        score = -epsilon / ((1 - now).sqrt() + 1e-9)
        clean = (x + (1 - now) * score) / now.sqrt()
        if t == 0:
            return clean
        sigma = torch.tensor(0.0)
        x = to.sqrt() * clean + (1 - to - sigma**2).sqrt() * epsilon + sigma * torch.randn_like(x)


def distance_alone(base, tuned, point, n):
    """Merge, sample and measure one model."""
    merged = copy.deepcopy(base)
    tuned_parameters = dict(tuned.named_parameters())
    with torch.no_grad():
        for name, parameter in merged.named_parameters():
            w = point[name.split(".")[1]]
            parameter.copy_((1 + w) * parameter - w * tuned_parameters[name])
    x = sample_alone(merged, n).numpy()
    mean, covariance = x.mean(axis=0), np.cov(x.T)
    return float(mean @ mean + np.trace(covariance + TRUTH - 2 * sqrtm(covariance @ TRUTH).real))


class TheirWay:
    """Every model alone."""

    def __init__(self, base, tuned):
        self.networks = Network(base), Network(tuned)

    def search(self, points):
        return {point_name(point): distance_alone(*self.networks, point, SEARCH) for point in points}

    def verify(self, points):
        return [distance_alone(*self.networks, point, VERIFICATION) for point in points]


class OurWay:
    """Groups of models on the same draws."""

    def __init__(self, base, tuned, seed, threads):
        self.arguments = base, tuned
        self.seed = seed
        self.threads = threads

    def distances(self, points, n, purpose):
        draws = FAMILY.draws(n, stream(self.seed, purpose))
        return study.merged_distances(FAMILY, *self.arguments, points, draws, self.threads)

    def search(self, points):
        return self.distances(points, SEARCH, "search")

    def verify(self, points):
        found = self.distances(points, VERIFICATION, "verification")
        return [found[point_name(point)] for point in points]  # two δ can share a winner: the centre


def trained(seed):
    """θ_r, and θ_s of ζ = 1.1 after 250 epochs."""
    base = study.base_model(FAMILY, 1000, 10_000, 1e-4, seed)
    return base, study.self_train(FAMILY, base, 1.1, 1000, 1e-5, [250], seed)[250]


def timed(function, *arguments):
    """The result, and the seconds of wall and of CPU time as an array."""
    start = np.array([time.perf_counter(), time.process_time()])
    result = function(*arguments)
    return result, np.array([time.perf_counter(), time.process_time()]) - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="evaluate every k-th model of each grid")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads, the same for both ways")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    base, tuned = trained(args.seed)
    torch.set_num_threads(args.threads)
    ways = {"notebook's way": TheirWay(base, tuned), "ours": OurWay(base, tuned, args.seed, args.threads)}
    searched = {name: {} for name in ways}
    seconds = {name: np.zeros((2, 2)) for name in ways}  # [grids, winners] × [wall, CPU]
    for delta in LAYERWISE:  # the ways take turns, so that a machine that slows down slows both
        grid = study.layerwise_grid(FAMILY.blocks, SINGLE_WEIGHT, delta)
        points = grid[:: args.every]
        for name, way in ways.items():
            searched[name][delta], taken = timed(way.search, points)
            seconds[name][0] += taken * len(grid) / len(points)
    verified = {}
    for name, way in ways.items():
        winners = [parse_point(best_point(found)) for found in searched[name].values()]
        verified[name], seconds[name][1] = timed(way.verify, winners)

    count = sum(map(len, searched["ours"].values()))
    print(f"{count} models, {args.threads} threads; seconds of the whole study of 5,832, wall (CPU)\n")
    print("| | grids at 10,000 samples | winners at 1,000,000 | together |\n| --- | --- | --- | --- |")
    totals = {name: np.vstack([rows, rows.sum(axis=0)]) for name, rows in seconds.items()}
    for name, rows in totals.items():
        print(f"| {name} | " + " | ".join(f"{wall:.0f} ({cpu:.0f})" for wall, cpu in rows) + " |")
    ratios = totals["notebook's way"] / totals["ours"]
    print("| ratio | " + " | ".join(f"{wall:.2f} ({cpu:.2f})" for wall, cpu in ratios) + " |")

    print("\nDistance of each δ's winner at 1,000,000 samples\n")
    print("| δ | " + " | ".join(f"{delta:g}" for delta in LAYERWISE) + " |")
    print("| --- " * (len(LAYERWISE) + 1) + "|")
    for name, found in verified.items():
        print(f"| {name} | " + " | ".join(f"{distance:.5f}" for distance in found) + " |")

    first, second = (searched[name][0.2] for name in ways)
    few = list(first)[:100]
    again = ways["notebook's way"].search([parse_point(name) for name in few])
    between, within = (
        np.sqrt(np.mean([(first[name] - other[name]) ** 2 for name in few])) for other in (second, again)
    )
    print(f"\nRms difference of {len(few)} distances (δ = 0.2) at 10,000 samples, each measured twice:")
    print(f"notebook's way and ours {between:.5f}, the notebook's way twice {within:.5f}")


if __name__ == "__main__":
    main()
