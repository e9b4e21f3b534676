"""The training loop, one segment at a time: Adam, a ramp of the learning rate, a moving average of the weights.

By default the hyperparameters are those of Karras et al. 2022 (arXiv 2206.00364, table 7 and section 5).

Every random number of a step follows from (seed, step, micro-batch), and the order of the data from
(seed, epoch). A segment that continues from a saved state therefore equals an uninterrupted run.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import nn

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import check_zip, replacing
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.training.averages import Averages
from adaptive_neon.training.distributed import add_up, processes, rank


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained; lengths are in kimg, thousands of training images.

    Attributes:
        ema_halflife_kimg: of the moving average; 0 gives the raw weights.
        betas: of Adam's moments.
        weight_decay: decoupled from the gradient (AdamW, Loshchilov and Hutter 2017, arXiv 1711.05101), of the
            tensors of two or more dimensions.
        clip_norm: the gradient's largest norm; None lets any pass.
    """

    batch: int
    lr: float
    ema_halflife_kimg: float
    seed: int
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float | None = None
    ema_rampup_ratio: float | None = None
    lr_rampup_kimg: float = 0.0
    micro_batch: int | None = None
    family: Mapping = field(default_factory=dict)  # the settings that only the model's family knows

    @classmethod
    def from_section(cls, section: Mapping) -> "TrainingSettings":
        """The settings in `base.training` or `finetune` of a configuration, lengths of training left out."""
        own = {name.name for name in fields(cls)} - {"family"}
        lengths = ("kimg", "snapshots_kimg", "average_kimg")
        settings = {key: value for key, value in section.items() if key not in lengths}
        family = {key: settings.pop(key) for key in set(settings) - own}
        return cls(**settings, family=family)


Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor | None, Mapping, torch.dtype], torch.Tensor]


@dataclass
class Training:
    """The state of a training: network, its moving average (EMA), optimizer, images seen, loss log.

    Of a network some of whose parameters ask for gradients these are trained, of any other all.

    Attributes:
        averages: further moving averages, whose length is chosen later.
    """

    network: nn.Module
    settings: TrainingSettings
    loss: Loss  # of the network's family (see `protocol.Family.loss`)
    images_seen: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)  # of the current segment
    averages: Averages | None = None

    def __post_init__(self):
        if not any(parameter.requires_grad for parameter in self.network.train().parameters()):
            self.network.requires_grad_(True)
        self.parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self._parameter_groups(), self.settings.lr, self.settings.betas, weight_decay=0.0, fused=True
        )

    def _parameter_groups(self) -> list[dict]:
        parameters = self.parameters
        if not self.settings.weight_decay:
            return [{"params": parameters}]
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        others = [parameter for parameter in parameters if parameter.ndim <= 1]
        return [{"params": matrices, "weight_decay": self.settings.weight_decay}, {"params": others}]

    def state_dict(self) -> dict:
        """All that `load_state_dict` needs to continue as if nothing had happened."""
        return {
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "images_seen": self.images_seen,
            "losses": self.losses,
            **({"averages": self.averages.state_dict()} if self.averages else {}),
        }

    def load_state_dict(self, state: dict) -> None:
        """Continue from a `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.images_seen = state["images_seen"]
        self.losses = list(state["losses"])
        if self.averages:
            self.averages.load_state_dict(state["averages"])


def write_state(path: str | Path, training: Training) -> None:
    """Write all that a later segment needs, which keeps no averages."""
    state = {key: value for key, value in training.state_dict().items() if key != "averages"}
    with replacing(path) as temporary:
        torch.save(state, temporary)


def read_state(path: str | Path) -> dict:
    """The state dict that `write_state` wrote, on the CPU. Only tensors and plain values are unpickled."""
    try:
        check_zip(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can trip any part of torch's reader
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not a readable training state ({reason}); remove it and make it again"
        ) from None


def write_losses(path: str | Path, losses: list[tuple[int, float]]) -> None:
    """The loss log as CSV: images seen before each step, mean loss per pixel of the step."""
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write("images,loss\n")
        file.writelines(f"{images},{loss:.6g}\n" for images, loss in losses)


def stream_seed(*key: int) -> int:
    """A 64-bit seed that is a function of the key and nothing else."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def data_order(seed: int, position: int, count: int, dataset_size: int) -> np.ndarray:
    """Indices of the training images `position … position + count`: each epoch is one permutation of the set."""
    epochs = range(position // dataset_size, (position + count - 1) // dataset_size + 1)
    order = np.concatenate([np.random.default_rng([seed, epoch]).permutation(dataset_size) for epoch in epochs])
    start = position - epochs[0] * dataset_size
    return order[start : start + count]


def train(
    training: Training,
    images: np.ndarray,
    labels: np.ndarray | None,
    until_images: int,
    rolling: RollingCheckpoint,
    progress: Callable[[int], None] = lambda images: None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Advance `training` in place until it has seen `until_images` images (whole batches).

    Args:
        images: the training set, uint8 [N, H, W, C].
        labels: class of each image, int [N], for a network with label_dim > 0; None otherwise.
        rolling: keeps the state on disk, and may hold a later one to begin with.
        progress: called with the number of images of each step.
        dtype: the type that the network runs in; weights, EMA and optimizer stay float32.

    Raises:
        InputError: the loss is no longer finite, with the step and the loss; or the images are not of the
            network's size or classes.
    """
    _check_fit(training.network, images, labels)
    if (saved := rolling.load()) is not None:
        progress(saved["images_seen"] - training.images_seen)
        training.load_state_dict(saved)
    while training.images_seen < until_images:
        before = training.images_seen
        training.losses.append((before, _step(training, images, labels, dtype)))
        progress(training.settings.batch)
        if rank() == 0:
            rolling.save_if_due(training.state_dict)


def _check_fit(network: nn.Module, images: np.ndarray, labels: np.ndarray | None) -> None:
    expected = (network.img_resolution, network.img_resolution, network.img_channels)
    if images.shape[1:] != expected:
        raise InputError(
            f"base.architecture: img_resolution and img_channels say images of {expected}, "
            f"the data are {images.shape[1:]}; correct the keys"
        )
    if network.label_dim and (labels is None or labels.max() >= network.label_dim):
        found = "none" if labels is None else f"{labels.max() + 1}"
        raise InputError(f"base.architecture.label_dim: {network.label_dim}, but classes in the data: {found}")


def _step(training: Training, images: np.ndarray, labels: np.ndarray | None, dtype: torch.dtype) -> float:
    settings, network = training.settings, training.network
    device = next(network.parameters()).device
    step = training.images_seen // settings.batch
    order = data_order(settings.seed, training.images_seen, settings.batch, len(images))
    micro_batch = settings.micro_batch or settings.batch

    training.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=device)
    for start in range(rank() * micro_batch, settings.batch, processes() * micro_batch):
        torch.manual_seed(stream_seed(settings.seed, step, start // micro_batch))
        indices = order[start : start + micro_batch]
        batch = torch.from_numpy(images[indices]).to(device)
        classes = torch.from_numpy(labels[indices]).to(device) if network.label_dim else None
        losses = training.loss(network, batch, classes, settings.family, dtype)
        loss = losses.sum() / settings.batch
        loss.backward()
        total += loss.detach()
    add_up([total, *(parameter.grad for parameter in training.parameters)])
    mean = total.item() / losses[0].numel()
    if not np.isfinite(mean):
        raise InputError(
            f"training diverged at step {step} ({training.images_seen} images): loss {mean}; lower lr"
        )

    ramp = min(training.images_seen / (settings.lr_rampup_kimg * 1000), 1.0) if settings.lr_rampup_kimg else 1.0
    for group in training.optimizer.param_groups:
        group["lr"] = settings.lr * ramp
    if settings.clip_norm is not None:
        nn.utils.clip_grad_norm_(training.parameters, settings.clip_norm)
    training.optimizer.step()
    _update_ema(training)
    training.images_seen += settings.batch
    if training.averages:
        training.averages.update(network, training.images_seen)
    return mean


@torch.no_grad()
def _update_ema(training: Training) -> None:
    """θ_EMA ← β·θ_EMA + (1 − β)·θ, where β halves the old weights every `ema_halflife_kimg`."""
    settings = training.settings
    halflife = settings.ema_halflife_kimg * 1000
    if settings.ema_rampup_ratio is not None:
        halflife = min(halflife, training.images_seen * settings.ema_rampup_ratio)
    beta = 0.5 ** (settings.batch / max(halflife, 1e-8))
    torch._foreach_lerp_(list(training.ema.parameters()), list(training.network.parameters()), 1 - beta)
