"""The experiments on the 2-D Gaussian: self-training, distances of merged models, gradient alignment."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.merging.grid import Point, diagonal, grid, parse_point, point_name
from adaptive_neon.search.selection import best_point, best_single_point
from adaptive_neon.toy.autoregressive import Autoregressive
from adaptive_neon.toy.diffusion import Diffusion
from adaptive_neon.toy.gaussian import frechet_distance, moments, real_data, stream
from adaptive_neon.toy.network import Family, Model, Stack, stack, train

# What is evaluated together: up to 8 models, and so many points that an activation [M, 32, n] of 0.5 MB stays in
# the L2 cache.
MODELS, COLUMNS = 8, 4096


def family_of(name: str, sampler: Mapping) -> Family:
    """The family of a name in the configuration."""
    return {"diffusion": Diffusion, "autoregressive": Autoregressive}[name](**sampler)


def training_data(points: int, seed: int) -> torch.Tensor:
    """The real points [2, n] that θ_r is trained on."""
    return real_data(points, stream(seed, "real"))


def base_model(family: Family, points: int, epochs: int, learning_rate: float, seed: int) -> Model:
    """θ_r."""
    initial, x = family.initial(stream(seed, "initial")), training_data(points, seed)
    return train(family, initial, x, learning_rate, [epochs], stream(seed, "training"))[epochs]


def self_train(
    family: Family,
    base: Model,
    scale: float,
    points: int,
    learning_rate: float,
    snapshots: Iterable[int],
    seed: int,
) -> dict[int, Model]:
    """θ_s after each of `snapshots` epochs on `points` samples that θ_r itself made at the scale ζ or τ."""
    draws = family.draws(points, stream(seed, f"synthetic {scale}"))
    with torch.inference_mode():
        synthetic = family.sample(stack([base]), draws, scale)[0]
    return train(family, base, synthetic.clone(), learning_rate, snapshots, stream(seed, f"self-training {scale}"))


def sample_moments(family: Family, models: Stack, draws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [M, 2] and covariance [M, 2, 2] of each model's samples for the same draws [k, 2, n], float64."""
    total, products = 0.0, 0.0
    count = len(next(iter(models.values())))
    for piece in draws.split(COLUMNS // count, dim=-1):
        x = family.sample(models, piece).double()
        total = total + x.sum(-1)
        products = products + x @ x.mT
    return moments(total, products, draws.shape[-1])


def distances(
    family: Family, models: Sequence[Model], draws: torch.Tensor, threads: int = 1
) -> Iterator[float | None]:
    """Each model's Fréchet distance to the truth, all on the same draws; None where samples are not finite.

    Threads take whole groups of models: PyTorch's own, which meet after every small product, gain nothing here.
    """

    @torch.inference_mode()
    def evaluate(group: Sequence[Model]) -> list[float | None]:
        found = frechet_distance(*sample_moments(family, stack(group), draws))
        return [distance if math.isfinite(distance) else None for distance in found.tolist()]

    size = min(MODELS, math.ceil(len(models) / threads))
    groups = (models[first : first + size] for first in range(0, len(models), size))
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for found in pool.map(evaluate, groups):
            yield from found


def merged_distances(
    family: Family, base: Model, tuned: Model, points: Sequence[Point], draws: torch.Tensor, threads: int = 1
) -> dict[str, float | None]:
    """Point name → distance of the merge of θ_r and θ_s with these weights."""
    block_of = assign_blocks(base, family.blocks)
    models = [merge(base, tuned, point, block_of) for point in points]
    return dict(zip(map(point_name, points), distances(family, models, draws, threads), strict=True))


def sweep(
    family: Family,
    base: Model,
    tuned: Mapping[tuple[float, int], Model],
    weights: Sequence[float],
    samples: int,
    verification: int,
    seed: int,
) -> dict:
    """Distance over one weight w, for each θ_s; base, collapsed and best model again on `verification` samples.

    Args:
        tuned: (ζ or τ, epochs) → θ_s.
        weights: at which the curve is measured, on `samples` samples.

    Returns:
        {"base": distance, "self_training": [{"scale", "epochs", "weights": [K], "distances": [K], "w": w*,
        "collapsed": distance, "distance": that of w*}]}.
    """
    draws = family.draws(samples, stream(seed, "sweep"))
    verifying = family.draws(verification, stream(seed, "verification"))
    outcome: dict = {"base": next(distances(family, [base], verifying)), "self_training": []}
    for (scale, epochs), model in tuned.items():
        curve = merged_distances(family, base, model, diagonal(family.blocks, weights), draws)
        best = parse_point(best_single_point(curve))
        ends = [*diagonal(family.blocks, [-1]), best]
        verified = merged_distances(family, base, model, ends, verifying)
        outcome["self_training"].append(
            {
                "scale": scale,
                "epochs": epochs,
                "weights": list(weights),
                "distances": list(curve.values()),
                "w": next(iter(best.values())),
                "collapsed": verified[point_name(ends[0])],
                "distance": verified[point_name(best)],
            }
        )
    return outcome


def self_training(outcome: Mapping, scale: float, epochs: int) -> dict:
    """The entry of one self-training in what `sweep` returned."""
    return next(
        entry for entry in outcome["self_training"] if (entry["scale"], entry["epochs"]) == (scale, epochs)
    )


def layerwise_search(
    family: Family,
    base: Model,
    tuned: Model,
    single: Mapping,
    deltas: Sequence[float],
    samples: int,
    verification: int,
    seed: int,
) -> dict:
    """The best point of each δ's grid around w*, and its distance on `verification` samples.

    Args:
        single: the entry of this θ_s in what `sweep` returns.

    Returns:
        {"scale", "epochs", "w": w*, "single": distance there, "grids": [{"delta", "point", "search": distance on
        the `samples` of the search, "distance"}], "evaluations": models searched, "seconds": CPU time of the
        search}.
    """
    draws = family.draws(samples, stream(seed, "search"))
    start = time.process_time()
    grids, evaluations = [], 0
    for delta in sorted(deltas):
        found = merged_distances(family, base, tuned, layerwise_grid(family.blocks, single["w"], delta), draws)
        best = best_point(found)
        grids.append({"delta": delta, "point": parse_point(best), "search": found[best]})
        evaluations += len(found)
    seconds = time.process_time() - start
    winners = {point_name(entry["point"]): entry["point"] for entry in grids}  # two δ can share the centre
    verifying = family.draws(verification, stream(seed, "verification"))
    verified = merged_distances(family, base, tuned, list(winners.values()), verifying)
    for entry in grids:
        entry["distance"] = verified[point_name(entry["point"])]
    return {key: single[key] for key in ("scale", "epochs", "w")} | {
        "single": single["distance"],
        "grids": grids,
        "evaluations": evaluations,
        "seconds": seconds,
    }


def layerwise_grid(blocks: Iterable[str], center: float, delta: float) -> list[Point]:
    """The 3^blocks points with a weight from {w* − δ, w*, w* + δ} in each block (Adaptive Neon, section 4.1)."""
    values = [round(center + step, 10) for step in (-delta, 0.0, delta)]
    return grid(dict.fromkeys(blocks, values))


def population_gradients(
    family: Family, model: Model, x: torch.Tensor, repeats: int, generator: torch.Generator, batch: int = 2048
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and mean square, over batches of x [2, n], of the loss gradient at a model: two vectors [parameters].

    `repeats` passes over x average the randomness of the loss (noise and diffusion time).
    """
    parameters = {name: tensor.requires_grad_() for name, tensor in stack([model]).items()}
    mean, square, batches = 0.0, 0.0, 0
    for _ in range(repeats):
        for columns in x.split(batch, dim=1):
            loss = family.loss(parameters, columns, generator)
            gradients = torch.autograd.grad(loss, list(parameters.values()))
            gradient = torch.cat([part.flatten() for part in gradients])
            mean, square, batches = mean + gradient, square + gradient**2, batches + 1
    return mean / batches, square / batches


def preconditioned_cosine(a: torch.Tensor, b: torch.Tensor, mean_square: torch.Tensor, eps: float = 1e-8) -> float:
    """cos(a, b) in ⟨a, P b⟩ with Adam's diagonal preconditioner P = 1 / (√v + ε) (Neon, appendix)."""
    a, b, p = a.double(), b.double(), 1 / (mean_square.double().sqrt() + eps)
    return float((a * p * b).sum() / ((a * p * a).sum() * (b * p * b).sum()).sqrt())


def picture_points(
    family: Family,
    base: Model,
    tuned: Mapping[tuple[float, int], Model],
    points: Mapping[str, tuple[tuple[float, int], Point]],
    n: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """n samples [2, n] of merged models for a picture, all from the same draws.

    Args:
        tuned: (ζ or τ, epochs) → θ_s.
        points: title → which θ_s, and the weights of the merge.
    """
    block_of = assign_blocks(base, family.blocks)
    models = [merge(base, tuned[key], point, block_of) for key, point in points.values()]
    with torch.inference_mode():
        samples = family.sample(stack(models), family.draws(n, stream(seed, "picture")))
    return dict(zip(points, samples.numpy(), strict=True))


def evenly(first: float, last: float, count: int) -> list[float]:
    """`count` values from `first` to `last`, each the number that people would write."""
    return [round(value, 10) for value in np.linspace(first, last, count).tolist()]


def alignment(
    family: Family, base: Model, real: torch.Tensor, scales: Sequence[float], repeats: int, seed: int
) -> list[float]:
    """The cosine at θ_r between the population gradients on real [2, n] and on synthetic data, for each ζ or τ.

    P is from the real data, as in Adam's stationary state. The synthetic sets have as many points as the real
    one, and for all scales the same draws and the same noise in the loss, so that the curve is smooth; the noise
    of the real gradient is another, which would otherwise align the two.
    """
    target, mean_square = population_gradients(family, base, real, repeats, stream(seed, "alignment real"))
    draws = family.draws(real.shape[1], stream(seed, "alignment draws"))
    cosines = []
    for scale in scales:
        with torch.no_grad():
            pieces = [family.sample(stack([base]), piece, scale)[0] for piece in draws.split(4096, dim=-1)]
        synthetic = torch.cat(pieces, dim=1)
        gradient, _ = population_gradients(family, base, synthetic, repeats, stream(seed, "alignment loss"))
        cosines.append(preconditioned_cosine(target, gradient, mean_square))
    return cosines
