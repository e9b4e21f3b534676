"""Images of several models from the same seeds, in batches; the random stream of each seed."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.pixels import one_hot, to_levels, to_uint8
from adaptive_neon.jobs.rolling import RollingCheckpoint


class Mirrored(int):
    """A seed whose image starts from the negated noise of another seed, `of`, and has its class.

    Noise that a sampler adds on the way is the seed's own: if the two images shared it, they would be alike.
    """

    def __new__(cls, seed: int, of: int):
        self = super().__new__(cls, seed)
        self.of = of
        return self


def antithetic(seeds: Sequence[int], classes: int) -> list[int]:
    """The seeds, of each 2L consecutive ones of which the last L start from the negated noise of the first L.

    Args:
        classes: L, the number of balanced classes, so that both images of a pair are of one class; otherwise 1.
    """
    return [Mirrored(seed, of=seed - classes) if seed // classes % 2 else seed for seed in seeds]


def seeded_noise(
    seeds: Sequence[int], shape: Sequence[int], label_dim: int = 0, classes: Sequence[int] | None = None
) -> tuple[Tensor, Tensor]:
    """Starting noise and class of each image, from one generator per seed: the noise first, then the class.

    The streams live on the CPU, so that a seed is the same image on every device and in every batch.

    Args:
        classes: of the images, in place of those that the streams would give.

    Returns:
        noise: float32 [N, *shape]; classes: int64 [N], zeros where label_dim is 0.
    """
    noise, labels, _ = noise_and_streams(seeds, shape, label_dim, classes)
    return noise, labels


def noise_and_streams(
    seeds: Sequence[int], shape: Sequence[int], label_dim: int = 0, classes: Sequence[int] | None = None
) -> tuple[Tensor, Tensor, list[torch.Generator]]:
    """The same with the stream of each seed, which a sampler that needs more noise goes on with."""
    noise = torch.empty(len(seeds), *shape)
    drawn = torch.zeros(len(seeds), dtype=torch.int64)
    streams = []
    for i, seed in enumerate(seeds):
        mirrored = isinstance(seed, Mirrored)
        stream = _stream(seed.of if mirrored else seed)
        noise[i] = torch.randn(*shape, generator=stream)
        if label_dim:
            drawn[i] = torch.randint(label_dim, [], generator=stream)
        if mirrored:
            noise[i].neg_()
        streams.append(_stream(seed) if mirrored else stream)
    return noise, drawn if classes is None else torch.as_tensor(classes, dtype=torch.int64), streams


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(seed))


def balanced_classes(seeds: Sequence[int], label_dim: int) -> list[int] | None:
    """Of each seed a class such that consecutive seeds have all classes equally often; None without classes."""
    return [seed % label_dim for seed in seeds] if label_dim else None


def draw_from_noise(
    network: nn.Module,
    seeds: Sequence[int],
    solve: Callable[[Callable[..., Tensor], Tensor], Tensor],
    classes: Sequence[int] | None,
    dtype: torch.dtype,
    guidance: float = 1,
    shape: Sequence[int] | None = None,
    guided: Callable[[Tensor], bool] = lambda level: True,
    differentiable: bool = False,
) -> tuple[Tensor, Tensor]:
    """The images of one batch of seeds, for families that turn noise into an image (see `protocol.Family.draw`).

    Args:
        network: takes `class_labels`, one-hot, and `dtype` as keyword arguments.
        solve: (network with these arguments given, noise [N, C, H, W]) → images in [−1, 1].
        guidance: scale of the classifier-free guidance, 1 for none (see `with_guidance`).
        shape: of the noise of an image; None for the image's own.
        guided: the noise level or time of an evaluation → whether it is guided.
        differentiable: images with their gradient, by `to_levels`.
    """
    with torch.set_grad_enabled(True) if differentiable else torch.inference_mode():
        device = next(network.parameters()).device
        shape = shape or (network.img_channels, network.img_resolution, network.img_resolution)
        noise, labels = seeded_noise(seeds, shape, network.label_dim, classes)
        hot = one_hot(labels, network.label_dim, device)
        if hot is None and guidance != 1:
            raise InputError(f"sampler.guidance: {guidance}, but the model has no classes; remove it")
        if guidance == 1:
            evaluate = partial(network, class_labels=hot, dtype=dtype)
        else:
            evaluate = with_guidance(partial(network, dtype=dtype), hot, guidance, guided)
        x = solve(evaluate, noise.to(device))
        return to_levels(x) if differentiable else to_uint8(x).cpu(), labels


def with_guidance(
    network: Callable[..., Tensor],
    labels: Tensor,
    scale: float,
    guided: Callable[[Tensor], bool] = lambda level: True,
    null: Tensor | None = None,
) -> Callable[..., Tensor]:
    """Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): f(x, ∅) + scale·(f(x, c) − f(x, ∅)).

    Args:
        network: f(x, level, …, class_labels=…) for x [N, C, H, W].
        labels: c of each image, one-hot [N, label_dim] or whatever the network takes.
        scale: as of `away_from`; two evaluations, in one batch.
        guided: the noise level → whether f is guided there; elsewhere it is f(x, c), in one evaluation.
        null: ∅ of each image, in the shape of the labels; None for rows of zeros.

    Returns:
        The guided f(x, …), all of whose other arguments are the same for all images.
    """
    both = torch.cat([torch.zeros_like(labels) if null is None else null, labels])

    def evaluate(x: Tensor, level: Tensor, *args: Tensor, **kwargs: Tensor) -> Tensor:
        if not guided(level):
            return network(x, level, *args, class_labels=labels, **kwargs)
        without, of_class = network(torch.cat([x, x]), level, *args, class_labels=both, **kwargs).chunk(2)
        return away_from(without, of_class, scale)

    return evaluate


def away_from(weak: Tensor, strong: Tensor, scale: float) -> Tensor:
    """weak + scale·(strong − weak), every guidance: 0 is the weak output, 1 the strong one, 2 goes on as far."""
    return weak + scale * (strong - weak)


class Guided(nn.Module):
    """θ_r guided by θ_s: D = (1 + w)·D_r − w·D_s, of whatever the two networks predict, in two evaluations.

    With θ_s trained on images of θ_r this is SIMS (Alemohammad et al. 2024, arXiv 2408.16333), and with any
    worse network autoguidance at scale 1 + w (Karras et al. 2024, arXiv 2406.02507). Neon, θ_r − w·(θ_s − θ_r), is
    the same to first order in θ_s − θ_r, in one evaluation. For all else the network is θ_r.

    Args:
        strong: θ_r.
        weak: θ_s, of the same architecture.
        w: of all noise levels.
    """

    def __init__(self, strong: nn.Module, weak: nn.Module, w: float):
        super().__init__()
        self.strong, self.weak, self.w = strong, weak, w

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.strong, name)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return away_from(self.weak(*args, **kwargs), self.strong(*args, **kwargs), 1 + self.w)


def sample_models(
    load: Callable[[str], nn.Module],
    draw: Callable[[nn.Module, Sequence[int]], tuple[Tensor, Tensor]],
    models: Sequence[str],
    seeds: Sequence[int],
    batch: int,
    rolling: RollingCheckpoint,
    progress: Callable[[int], None] = lambda images: None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images of several models from the same seeds.

    Args:
        load: called with each of `models` when its turn comes.
        draw: draws the images of some seeds from a network (see `protocol.Family.draw`).
        batch: images at a time; the images don't depend on it beyond rounding.
        rolling: keeps the finished batches on disk, and may hold some to begin with.
        progress: called with the number of images of each batch.

    Returns:
        model → uint8 [N, H, W, C], empty if the model diverged; and the classes int64 [N], the same for all.
    """
    chunks = [seeds[start : start + batch] for start in range(0, len(seeds), batch)]
    finished = rolling.load() or []
    progress(sum(len(classes) for _, classes in finished))
    first = len(finished)
    for position in range(first, len(models) * len(chunks)):
        model, chunk = divmod(position, len(chunks))
        if chunk == 0 or position == first:
            network = load(models[model]).eval()
        finished.append(draw(network, chunks[chunk]))
        progress(len(chunks[chunk]))
        rolling.save_if_due(lambda: finished)

    images = {}
    for index, model in enumerate(models):
        parts = [part.numpy() for part, _ in finished[index * len(chunks) : (index + 1) * len(chunks)]]
        images[model] = np.concatenate(parts) if all(map(len, parts)) else parts[0][:0]
    return images, np.concatenate([classes.numpy() for _, classes in finished[: len(chunks)]])
