"""Inductive moment matching as a family: its networks, loss and sampler behind `families.protocol`."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families import architecture as arguments
from adaptive_neon.families.flop import BACKWARD, count_flop
from adaptive_neon.families.imm.matching import (
    draw_times,
    interpolate,
    moment_matching_loss,
    pushforward,
    time_steps,
    time_weight,
)
from adaptive_neon.families.imm.network import NETWORKS, IMMPrecond, autocast
from adaptive_neon.families.imm.settings import TRAINING, latent_shape
from adaptive_neon.families.networks.autoencoder import AutoencoderKL
from adaptive_neon.families.pixels import from_uint8, one_hot
from adaptive_neon.families.sampling import draw_from_noise

LATENT_STD = 0.5  # of the latents that the model sees


class WhitenedAutoencoder(AutoencoderKL):
    """A KL autoencoder, each channel of whose latents is shifted and scaled to mean 0 and standard deviation 0.5.

    Args:
        mean: of the autoencoder's own latents, one a channel.
        std: their standard deviations.
        kwargs: arguments of the autoencoder.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], **kwargs):
        super().__init__(**kwargs)
        if not len(mean) == len(std) == self.z_channels:
            raise InputError(f"codec.mean: give {self.z_channels} numbers, one a channel, as in codec.std")
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).reshape(1, -1, 1, 1), persistent=False)

    def sample(self, images: Tensor) -> Tensor:
        return (super().sample(images) - self.mean) * (LATENT_STD / self.std)

    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents * (self.std / LATENT_STD) + self.mean)


def build(architecture: Mapping, training: Mapping | None = None) -> IMMPrecond:
    """A freshly initialised network from the arguments of `IMMPrecond`; dropout is that of the training.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    known = complete(architecture)
    if training and "dropout" in known:
        known["dropout"] = training["dropout"]
    return arguments.construct(IMMPrecond, known)


def complete(architecture: Mapping) -> dict:
    """The architecture with the defaults of what it leaves out.

    Raises:
        InputError: an unknown or a missing argument.
    """
    model_type = architecture.get("model_type", "DiT")
    arguments.require("model_type", model_type, NETWORKS)
    if architecture.get("augment_dim"):
        raise InputError(
            "architecture.augment_dim: moment matching tells its network of no augmentation; remove it"
        )
    if architecture.get("codec"):
        factor = 2 ** (len(architecture["codec"]["ch_mult"]) - 1)
        if architecture["img_resolution"] % factor:
            raise InputError(
                f"architecture.img_resolution: {architecture['img_resolution']} is no multiple of {factor}, by "
                "which the codec shrinks images; choose one that is"
            )
    return arguments.complete(architecture, IMMPrecond, NETWORKS[model_type].__base__)  # which takes the arguments


def build_codec(architecture: Mapping) -> WhitenedAutoencoder:
    """The frozen autoencoder."""
    codec = arguments.construct(WhitenedAutoencoder, dict(architecture["codec"]))
    return codec.eval().requires_grad_(False)


def fit_codec(architecture: Mapping, images: np.ndarray, labels: np.ndarray | None, seed: int) -> nn.Module:
    """An autoencoder cannot be made here.

    Raises:
        InputError: always.
    """
    raise InputError("base.codec: null, but an autoencoder takes days to train; give the file of one")


def loss(
    network: IMMPrecond,
    images: Tensor,
    labels: Tensor | None,
    training: Mapping,
    dtype: torch.dtype,
    codec: AutoencoderKL | None = None,
) -> Tensor:
    """The moment-matching loss of each image's group; of a share of the groups, the flow-matching loss; [N]."""
    settings = TRAINING | training
    y = from_uint8(images)
    if codec is not None:
        with torch.no_grad(), autocast(y.device, dtype):
            y = codec.sample(y).float()
    classes = one_hot(labels, network.label_dim, y.device) if network.label_dim else y.new_zeros(len(y), 0)
    groups = len(y) // settings["group"]
    matched = groups - round(settings["flow_share"] * groups)
    times = draw_times(matched, network.T, network.eps, settings["k"], settings["min_tr_gap"], y.device)
    dropped = classes * (torch.rand(len(y), 1, device=y.device) >= settings["label_dropout"])
    noise = network.sigma_data * torch.randn_like(y)
    first = slice(matched * settings["group"])
    rest = slice(first.stop, None)
    losses = []
    if matched:
        labelled = classes[first], dropped[first]
        losses.append(matching_loss(network, y[first], noise[first], *labelled, times, settings, dtype))
    if matched < groups:
        losses.append(flow_matching_loss(network, y[rest], noise[rest], dropped[rest], dtype))
    return torch.cat(losses)


def matching_loss(
    network: IMMPrecond,
    y: Tensor,
    noise: Tensor,
    classes: Tensor,
    dropped: Tensor,
    times: tuple[Tensor, Tensor, Tensor],
    settings: Mapping,
    dtype: torch.dtype,
) -> Tensor:
    """The moment-matching loss of each image's group (see `matching.moment_matching_loss`), [N].

    The target f(x_r, r, s) is computed in float32 and sees all classes, the jump from t those that are left; both
    see the same dropout.
    """
    size = settings["group"]
    t, r, s = (time.repeat_interleave(size, dim=0) for time in times)
    with torch.no_grad(), torch.random.fork_rng([y.device] if y.is_cuda else []):
        target = network(interpolate(y, noise, r), r, classes, s)
    reached = network(interpolate(y, noise, t), t, dropped, s, dtype)
    _, out = network.coefficients(times[0], times[2])
    losses = moment_matching_loss(
        reached.unflatten(0, (-1, size)),
        target.unflatten(0, (-1, size)),
        1 / out.abs().flatten(),
        time_weight(times[0].flatten(), settings["a"], settings["b"]),
    )
    return losses.repeat_interleave(size)


def flow_matching_loss(
    network: IMMPrecond, y: Tensor, noise: Tensor, classes: Tensor, dtype: torch.dtype
) -> Tensor:
    """‖∂f(x_t, t, s)/∂s − (n − y)‖²/(σ_d²·D^1.5) of each image at s = t, t uniform in [ε, T]; [N].

    Over √D, its gradient is about as large as that of the moments, whose kernel sees distances of √D over D.
    """
    t = torch.rand(len(y), 1, 1, 1, dtype=torch.float64, device=y.device)
    t = network.eps + (network.T - network.eps) * t
    velocity = network.velocity(interpolate(y, noise, t), t, classes, dtype)
    errors = ((velocity - (noise - y)) / network.sigma_data).square().flatten(1)
    return errors.mean(1) / errors.shape[1] ** 0.5


def draw(
    network: IMMPrecond,
    seeds: Sequence[int],
    sampler: Mapping,
    classes: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    codec: AutoencoderKL | None = None,
) -> tuple[Tensor, Tensor]:
    """Images by jumping from the noise of each seed along the time steps."""
    schedule = {key: value for key, value in sampler.items() if key != "guidance"}
    times = time_steps(highest=network.T, lowest=network.eps, **schedule)

    def solve(jump: Callable[..., Tensor], noise: Tensor) -> Tensor:
        x = pushforward(
            lambda x, t, s: jump(x, t, s=s), network.sigma_data * noise.double(), times.to(noise.device)
        )
        if codec is None:
            return x
        with autocast(noise.device, dtype):
            return codec.decode(x.float()).float()

    return draw_from_noise(
        network, seeds, solve, classes, dtype, shape=network.shape, guidance=sampler.get("guidance", 1)
    )


def training_flop(architecture: Mapping) -> float:
    """Of a training step per image: the step, the target of the moments, and the encoder."""
    total = (BACKWARD + 1) * _evaluation_flop(architecture)
    if architecture.get("codec"):
        image = architecture["img_channels"], *[architecture["img_resolution"]] * 2
        total += count_flop(lambda: build_codec(architecture).encode(torch.zeros(1, *image)))
    return total


def drawing_flop(architecture: Mapping, sampler: Mapping) -> float:
    """Of an image."""
    total = sampler["steps"] * (1 if sampler.get("guidance", 1) == 1 else 2) * _evaluation_flop(architecture)
    if architecture.get("codec"):
        shape = latent_shape(architecture["img_resolution"], architecture["img_channels"], architecture["codec"])
        total += count_flop(lambda: build_codec(architecture).decode(torch.zeros(1, *shape)))
    return total


def _evaluation_flop(architecture: Mapping) -> float:
    def evaluate():
        network = build(architecture)
        network(torch.zeros(1, *network.shape), torch.ones(1), torch.zeros(1, network.label_dim))

    return count_flop(evaluate)
