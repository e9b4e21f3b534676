"""diffusers' autoencoders as frozen codecs, and how a small one is trained."""

import numpy as np
import torch
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.pixels import from_uint8

LARGEST = 1_000_000  # parameters of an autoencoder that is trained here
IMAGES = 50_000  # that it is trained on, with repetition
BATCH = 64
LR = 2e-3  # of Adam, falling to 0 along a half cosine
KL = 1e-4  # weight of KL(q ‖ N(0, 1)), summed over an image's latents, beside the squared error of its pixels


def encode(codec: nn.Module, images: Tensor) -> Tensor:
    """Latents of images in [−1, 1], as the network sees them; of an `AutoencoderKL` one draw of each."""
    codec = _autoencoder(codec)
    encoded = codec.encode(images)
    latents = encoded.latent_dist.sample() if hasattr(encoded, "latent_dist") else encoded.latents
    return (latents - _shift(codec)) * codec.config.scaling_factor


def decode(codec: nn.Module, latents: Tensor) -> Tensor:
    """Images in [−1, 1] of latents."""
    codec = _autoencoder(codec)
    return codec.decode(latents / codec.config.scaling_factor + _shift(codec)).sample


def _autoencoder(codec: nn.Module) -> nn.Module:
    """The codec without the text encoders, if it has such."""
    return getattr(codec, "vae", codec)


def _shift(codec: nn.Module) -> float:
    return codec.config.get("shift_factor") or 0.0


def fit(codec: nn.Module, images: np.ndarray, seed: int) -> nn.Module:
    """Train an `AutoencoderKL` on images, uint8 [N, H, W, C], and standardise its latents.

    Each channel of what `encode` gives then has mean 0 and standard deviation 1 over the images: the layers on
    both sides of the latents take up the shift and the scale, and the images that come back stay the same.

    Raises:
        InputError: the codec is another or too large to be trained in a minute.
    """
    parameters = sum(parameter.numel() for parameter in codec.parameters())
    if not (codec.config.get("use_quant_conv") and codec.config.get("use_post_quant_conv")):
        raise InputError(
            "base.codec: null, but only an AutoencoderKL with its quant_conv is trained here; give a file"
        )
    if parameters > LARGEST:
        raise InputError(
            f"base.codec: null, but an autoencoder of {parameters:,} parameters, more than {LARGEST:,}, takes "
            "longer than a minute to train; give the file of one"
        )
    order = np.random.default_rng(seed)
    codec.train().requires_grad_(True)
    optimizer = torch.optim.Adam(codec.parameters(), LR)
    steps = IMAGES // BATCH
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        x = from_uint8(torch.from_numpy(images[order.integers(len(images), size=BATCH)]))
        posterior = codec.encode(x).latent_dist
        error = (codec.decode(posterior.sample()).sample - x).square().flatten(1).sum(1)
        optimizer.zero_grad(set_to_none=True)
        (error + KL * posterior.kl()).mean().backward()
        optimizer.step()
        decay.step()
    codec.eval().requires_grad_(False)
    _standardise(codec, images)
    return codec


@torch.no_grad()
def _standardise(codec: nn.Module, images: np.ndarray) -> None:
    moments = torch.cat(
        [
            codec.encode(from_uint8(torch.from_numpy(part))).latent_dist.parameters
            for part in np.array_split(images, max(1, len(images) // 500))
        ]
    )
    means, logarithms = moments.chunk(2, dim=1)
    mean = means.mean((0, 2, 3))
    variance = (means - mean.view(1, -1, 1, 1)).square().mean((0, 2, 3)) + logarithms.exp().mean((0, 2, 3))
    scale = 1 / (variance.sqrt() * codec.config.scaling_factor)
    channels = len(mean)
    before, after = codec.quant_conv, codec.post_quant_conv
    # z' = (z − mean)·scale + shift_factor; so z = z'/scale + mean − shift_factor/scale
    before.weight[:channels] *= scale.view(-1, 1, 1, 1)
    before.bias[:channels] = (before.bias[:channels] - mean) * scale + _shift(codec)
    before.bias[channels:] += 2 * scale.log()
    after.bias += after.weight[:, :, 0, 0] @ (mean - _shift(codec) / scale)
    after.weight /= scale.view(1, -1, 1, 1)
