"""Moving averages of the weights whose length is chosen after the training.

Karras et al. 2023 (arXiv 2312.02696), section 3 and appendix C: the average of exponent γ at time t weights the
parameters at time τ ≤ t by (γ + 1)·τ^γ/t^(γ + 1). Of two such averages, kept every so often, any other is the best
combination. The length of an average is the standard deviation of these weights over τ, relative to t.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from adaptive_neon.families.checkpoints import TensorFile
from adaptive_neon.jobs.files import replacing

LENGTHS = (0.05, 0.10)  # of the averages that are kept, as in the paper


def exponent(length: float) -> float:
    """γ of a length: length² = (γ + 1)/((γ + 2)²·(γ + 3)). γ = 0 is the plain mean, of the length √(1/12)."""
    s = length**-2
    return max(np.roots([1, 7, 16 - s, 12 - s]).real.max(), 0.0)


class Averages:
    """The averages of a network in training, and what is kept of them.

    Args:
        every: number of images after which both are kept, again and again, on the CPU.
    """

    def __init__(self, network: nn.Module, every: float):
        self.every = every
        self.images = 0
        self.powers = [exponent(length) + 1 for length in LENGTHS]
        self.now = [_copies(network) for _ in LENGTHS]
        self.kept: dict[int, list[dict[str, torch.Tensor]]] = {}  # images → name → tensor, of each length

    @torch.no_grad()
    def update(self, network: nn.Module, images: int) -> None:
        """After a step: θ_γ ← β·θ_γ + (1 − β)·θ, β = (1 − Δt/t)^(γ + 1), where t is the number of images seen."""
        step, before, self.images = images - self.images, self.images, images
        parameters = list(network.parameters())
        for power, average in zip(self.powers, self.now, strict=True):
            beta = (1 - step / images) ** power
            torch._foreach_lerp_(list(average.values()), parameters, 1 - beta)
        if images // self.every > before // self.every:
            self.keep()

    def keep(self) -> None:
        """Keep both as they are."""
        self.kept[self.images] = [
            {name: tensor.to("cpu", copy=True) for name, tensor in average.items()} for average in self.now
        ]

    def write(self, path: str | Path) -> None:
        """Write all that was kept, and the averages at the end, in safetensors: images/length/name → tensor."""
        self.keep()
        tensors = {
            f"{images}/{length}/{name}": tensor
            for images, averages in self.kept.items()
            for length, average in zip(LENGTHS, averages, strict=True)
            for name, tensor in average.items()
        }
        with replacing(path) as temporary:
            save_file(tensors, temporary)

    def state_dict(self) -> dict:
        """All that `load_state_dict` needs to continue as if nothing had happened."""
        return {"images": self.images, "now": self.now, "kept": self.kept}

    def load_state_dict(self, state: Mapping) -> None:
        """Continue from a `state_dict`."""
        self.images, self.kept = state["images"], dict(state["kept"])
        for average, saved in zip(self.now, state["now"], strict=True):
            for name, tensor in average.items():
                tensor.copy_(saved[name])


def _copies(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}


class Reconstructed(Mapping[str, np.ndarray]):
    """A model as the average of some length over its training, from what `Averages.write` has written.

    A tensor is computed each time that it is asked for, in float64. What was no parameter in the training, such as
    a buffer, is the model's own.

    Args:
        model: at the end of the training, parameter name → array.
    """

    def __init__(self, model: Mapping[str, np.ndarray], path: str | Path, length: float):
        self.model, self.stored = model, TensorFile(Path(path))
        self.parameters = {name.split("/", 2)[2] for name in self.stored}
        kept = sorted({tuple(name.split("/", 2)[:2]) for name in self.stored})
        places = [(float(images), exponent(float(own))) for images, own in kept]
        last = max(images for images, _ in places)
        shares = coefficients([(images / last, gamma) for images, gamma in places], exponent(length))
        self.shares = dict(zip(kept, shares, strict=True))

    def __getitem__(self, name: str) -> np.ndarray:
        own = self.model[name]
        if name not in self.parameters:
            return own
        terms = (share * self.stored["/".join((*place, name))] for place, share in self.shares.items())
        return sum(terms).astype(own.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self.model)

    def __len__(self) -> int:
        return len(self.model)


def coefficients(kept: Sequence[tuple[float, float]], gamma: float) -> np.ndarray:
    """How much of each kept average, float64 [len(kept)], makes that of exponent γ at time 1, by least squares.

    They add up to 1, which the paper doesn't ask for: with few averages kept, a long one would be too small else.

    Args:
        kept: time in (0, 1], and γ, of each.
    """
    times, gammas = np.array(kept, dtype=float).T
    against = overlaps(times[:, None], gammas[:, None], 1.0, gamma)[:, 0]
    among = overlaps(times[:, None], gammas[:, None], times, gammas)
    bordered = np.block([[among, np.ones((len(kept), 1))], [np.ones((1, len(kept))), np.zeros((1, 1))]])
    return np.linalg.lstsq(bordered, np.append(against, 1.0), rcond=1e-12)[0][:-1]


def overlaps(t: np.ndarray, gamma: np.ndarray, other_t: np.ndarray, other_gamma: np.ndarray) -> np.ndarray:
    """∫ p(τ)·p'(τ) dτ of the weights of two averages at times t and t'."""
    least = np.minimum(t, other_t)
    powers = (least / t) ** gamma * (least / other_t) ** other_gamma * least / (t * other_t)
    return (gamma + 1) * (other_gamma + 1) / (gamma + other_gamma + 1) * powers
