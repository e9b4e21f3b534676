"""The experiments on the 2-D Gaussian: self-training, distances of merged models, gradient alignment."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import torch

from adaptive_neon.blocks import assign_blocks
from adaptive_neon.extrapolation import merge
from adaptive_neon.grid import Point, grid, point_name
from adaptive_neon.toy.gaussian import frechet_distance, moments, stream
from adaptive_neon.toy.network import Family, Model, Stack, stack, train

# What is evaluated together: up to 8 models, and so many points that an activation [M, 32, n] of 0.5 MB stays in
# the L2 cache.
MODELS, COLUMNS = 8, 4096


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
    family: Family, models: Iterable[Model], draws: torch.Tensor, threads: int = 1
) -> Iterator[float | None]:
    """Each model's Fréchet distance to the truth, all on the same draws; None where samples are not finite.

    Threads take whole groups of models: PyTorch's own, which meet after every small product, gain nothing here.
    """

    @torch.inference_mode()
    def evaluate(group: list[Model]) -> list[float | None]:
        found = frechet_distance(*sample_moments(family, stack(group), draws))
        return [distance if math.isfinite(distance) else None for distance in found.tolist()]

    models = iter(models)
    groups = iter(lambda: list(islice(models, MODELS)), [])
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for found in pool.map(evaluate, groups):
            yield from found


def merged_distances(
    family: Family, base: Model, tuned: Model, points: Sequence[Point], draws: torch.Tensor, threads: int = 1
) -> dict[str, float | None]:
    """Point name → distance of the merge of θ_r and θ_s with these weights."""
    block_of = assign_blocks(base, family.blocks)
    models = (merge(base, tuned, point, block_of) for point in points)
    return dict(zip(map(point_name, points), distances(family, models, draws, threads), strict=True))


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
