"""What a family of models is: two modules, `settings.py` and `family.py`, with these functions and constants.

An *architecture* is the JSON object that rebuilds a network, as a configuration and a checkpoint's metadata hold
it: the arguments of the family's network, and the name of the family under the key `family`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Settings(Protocol):
    """`settings.py`: all that the workflow asks of a family in each of its processes, so it imports no torch.

    Attributes:
        SCHEMA: JSON schemas of the family's sections `architecture` and `sampler`; and of `training`, what it adds
            to the settings of the training loop.
        SAMPLER: sampler settings for a model that brings none of its own.
        PUBLISHED: suffixes of the files that the family's authors publish.
        DIFFERENTIABLE: True of a family whose `draw` has the gradient of images; others lack it.
        STARTS_FROM_NOISE: whether images start from the Gaussian noise of `sampling.seeded_noise`, which can be
            negated.
        LIBRARY: the name of the library whose folders hold the family's models; only where there is one.
        ADAPTED: a regular expression of the names of the linear layers that a LoRA adapts; only of a family whose
            training has the setting `lora_rank`.
        NOISE_LEVEL: what a figure calls the noise level of a prediction; only of a family with `Family.predict`,
            whose models can guide each other (see `sampling.Guided`).
    """

    SCHEMA: Mapping[str, Mapping]
    SAMPLER: Mapping
    PUBLISHED: Sequence[str]
    STARTS_FROM_NOISE: bool

    def block_presets(self, architecture: Mapping | None) -> Mapping[str, Mapping[str, str]]:
        """Presets by name: block → pattern (see `merging.blocks.assign_blocks`). The first is the default.

        Args:
            architecture: as far as it is known, None before the import of a model.
        """

    def contradictions(self, config: Mapping) -> Iterator[tuple[str, str]]:
        """What one key of the family's sections demands of another: the key, and one line that says the mend."""

    def is_weight(self, name: str) -> bool:
        """Whether a tensor of this name is a weight. All others are constants, never extrapolated."""

    def from_published(self, content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
        """The model in a published file: tensors, floats as float32, and the architecture, of JSON's values.

        Args:
            content: of the file, as data (see `families.pickles` and `families.torch_files`).
            size: bytes of the file, which bounds what it can hold.

        Raises:
            RefusedError: the file holds no network of this family; the message goes on from the file's name.
        """

    def published_architecture(self, checkpoint: str) -> dict:
        """The architecture of the published checkpoint of this name, to estimate with before it is imported.

        Raises:
            InputError: it follows from no name.
        """

    def upstream_usage(self, architecture: Mapping, path: str) -> str:
        """Lines of Python that load the state dict at `path` in the family's own code base."""

    def write_folder(
        self,
        folder: Path,
        architecture: Mapping,
        tensors: Mapping[str, np.ndarray],
        codec: Mapping[str, np.ndarray],
        metadata: Mapping[str, str],
    ) -> None:
        """Write a model as its library reads it; only where there is a `LIBRARY`.

        Args:
            codec: the tensors of the frozen codec, empty if there is none.
            metadata: where the model comes from, and its sampler settings.
        """

    def codec_from_published(self, content: object, size: int) -> dict[str, np.ndarray]:
        """The tensors of the frozen codec in a published file (see `from_published`); only where there is a codec.

        Raises:
            RefusedError: the file holds none of this family.
        """


class Network(Protocol):
    """What every family's network says of itself. `label_dim` is the number of classes, 0 for none."""

    img_resolution: int
    img_channels: int
    label_dim: int


class Family(Protocol):
    """`family.py`: building, training and drawing. A network is an `nn.Module` that is a `Network`.

    Where the architecture has the key `codec`, images pass a frozen codec, such as an autoencoder or a tokenizer.
    It is a file of its own, never merged; `loss` and `draw` then take the module as the keyword argument `codec`.
    """

    def build(self, architecture: Mapping, training: Mapping | None = None) -> nn.Module:
        """A freshly initialised network.

        Args:
            architecture: without the key `family`.
            training: the family's settings of a training to come: some, such as dropout, are the network's.

        Raises:
            InputError: an unknown, missing or unsupported argument.
        """

    def build_codec(self, architecture: Mapping) -> nn.Module:
        """The codec, frozen, in evaluation mode, not yet with its weights; only where there is one."""

    def fit_codec(
        self, architecture: Mapping, images: np.ndarray, labels: np.ndarray | None, seed: int
    ) -> nn.Module:
        """The codec made from the training images, uint8 [N, H, W, C], in seconds; only where there is one.

        Raises:
            InputError: this codec takes more; `base.codec` must name a file.
        """

    def complete(self, architecture: Mapping) -> dict:
        """The architecture with the defaults of what it leaves out.

        Raises:
            InputError: an unknown or a missing argument.
        """

    def loss(
        self, network: nn.Module, images: Tensor, labels: Tensor | None, training: Mapping, dtype: torch.dtype
    ) -> Tensor:
        """The training loss of each image.

        Args:
            images: uint8 [N, H, W, C].
            labels: class of each, int64 [N]; None for a network without classes.
            training: the family's own training settings.
            dtype: the type that the network runs in.

        Returns:
            [N, …], not yet summed. Random numbers come from torch's global stream.
        """

    def draw(
        self,
        network: nn.Module,
        seeds: Sequence[int],
        sampler: Mapping,
        classes: Sequence[int] | None = None,
        dtype: torch.dtype = torch.float32,
        differentiable: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """One batch of images, each a function of its seed and its class alone, up to rounding.

        Args:
            network: on the device to run on.
            seeds: one per image. `sampling.Mirrored` are among them only where images start from noise.
            sampler: the family's sampler settings.
            classes: one per image; None draws each from its seed.
            dtype: the type that the network runs in.
            differentiable: keep the gradient (see below); only of a family that is `DIFFERENTIABLE`.

        Returns:
            uint8 [N, H, W, C] and classes int64 [N], on the CPU. If any image is not finite, the model has
            diverged and the images are empty, [0, H, W, C]. Differentiable images are the same numbers as float32
            on the network's device, with the gradient that they had if truncation were the identity.
        """

    def levels(self, network: nn.Module, sampler: Mapping) -> list[float]:
        """The noise levels at which the sampler evaluates the network, in its order; only with `predict`."""

    def predict(
        self,
        network: nn.Module,
        images: Tensor,
        noise: Tensor,
        level: float,
        labels: Tensor | None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """What the network predicts of noisy images, affine in the score: a denoised image or a velocity.

        Only of a family whose sampler needs nothing of a model but this, so that a combination of the predictions
        of two models can be sampled.

        Args:
            images: in [−1, 1], float32 [N, C, H, W].
            noise: standard normal, of the same shape.
            level: one of `levels`.
            labels: class of each, int64 [N]; None for a network without classes.

        Returns:
            float32 [N, C, H, W].
        """

    def training_flop(self, architecture: Mapping) -> float:
        """Floating-point operations of a training step per image; a multiply-add is two."""

    def drawing_flop(self, architecture: Mapping, sampler: Mapping) -> float:
        """Floating-point operations of drawing an image."""
