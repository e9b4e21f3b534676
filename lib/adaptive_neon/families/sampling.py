"""Images from networks: uint8, one random stream per seed."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from adaptive_neon.families.edm.diffusion import heun, noise_levels, seeded_noise, to_uint8
from adaptive_neon.families.networks.unet import EDMPrecond
from adaptive_neon.jobs.rolling import RollingCheckpoint


@torch.inference_mode()
def sample_batch(
    network: EDMPrecond, seeds: Sequence[int], sampler: Mapping, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch of images.

    Args:
        network: on the device to run on.
        seeds: one per image.
        sampler: the arguments of `diffusion.noise_levels`; the network's own range of noise levels limits it.
        dtype: the type that the network runs in.

    Returns:
        uint8 [N, H, W, C] and classes int64 [N], on the CPU. If any image is not finite, the model has
        diverged and the images are empty, [0, H, W, C].
    """
    device = next(network.parameters()).device
    shape = (network.img_channels, network.img_resolution, network.img_resolution)
    noise, classes = seeded_noise(seeds, shape, network.label_dim)
    one_hot = torch.eye(network.label_dim, device=device)[classes.to(device)] if network.label_dim else None
    limits = {
        "sigma_min": max(sampler["sigma_min"], network.sigma_min),
        "sigma_max": min(sampler["sigma_max"], network.sigma_max),
    }
    sigmas = noise_levels(**sampler | limits).to(device)
    images = heun(lambda x, sigma: network(x, sigma, one_hot, dtype=dtype), noise.to(device), sigmas)
    if not torch.isfinite(images).all():
        images = images[:0]
    return to_uint8(images).cpu(), classes


def sample_models(
    load: Callable[[str], EDMPrecond],
    models: Sequence[str],
    seeds: Sequence[int],
    sampler: Mapping,
    batch: int,
    rolling: RollingCheckpoint,
    progress: Callable[[int], None] = lambda images: None,
    dtype: torch.dtype = torch.float32,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images of several models from the same seeds.

    Args:
        load: called with each of `models` when its turn comes.
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
        finished.append(sample_batch(network, chunks[chunk], sampler, dtype))
        progress(len(chunks[chunk]))
        rolling.save_if_due(lambda: finished)

    images = {}
    for index, model in enumerate(models):
        parts = [part.numpy() for part, _ in finished[index * len(chunks) : (index + 1) * len(chunks)]]
        images[model] = np.concatenate(parts) if all(map(len, parts)) else parts[0][:0]
    return images, np.concatenate([classes.numpy() for _, classes in finished[: len(chunks)]])
