"""The preconditioned network of EDM (arXiv 2206.00364), with the parameter names of NVIDIA's checkpoints."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from adaptive_neon.families.networks.unet import NETWORKS

# Networks by the names that EDM's training script gives them: keyword arguments of `EDMPrecond`.
ARCHITECTURES = {
    "ddpmpp": {
        "model_type": "SongUNet",
        "embedding_type": "positional",
        "encoder_type": "standard",
        "decoder_type": "standard",
        "channel_mult_noise": 1,
        "resample_filter": [1, 1],
        "model_channels": 128,
        "channel_mult": [2, 2, 2],
    },
    "ncsnpp": {
        "model_type": "SongUNet",
        "embedding_type": "fourier",
        "encoder_type": "residual",
        "decoder_type": "standard",
        "channel_mult_noise": 2,
        "resample_filter": [1, 3, 3, 1],
        "model_channels": 128,
        "channel_mult": [2, 2, 2],
    },
    "adm": {
        "model_type": "DhariwalUNet",
        "model_channels": 192,
        "channel_mult": [1, 2, 3, 4],
    },
}


class EDMPrecond(nn.Module):
    """The denoiser D_θ(x; σ) = c_skip·x + c_out·F_θ(c_in·x; c_noise) (EDM, eq. 7 and Table 1).

    Args:
        img_resolution: side of the square images in pixels.
        img_channels: their channels.
        label_dim: number of classes, 0 for an unconditional model.
        augment_dim: length of the augment labels, 0 for a model that does not see them.
        sigma_min: lowest noise level that a sampler may ask for.
        sigma_max: highest noise level that a sampler may ask for.
        sigma_data: standard deviation of the data.
        model_type: F_θ, `SongUNet` or `DhariwalUNet`.
        model_kwargs: further arguments of that network.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        sigma_min: float = 0,
        sigma_max: float = math.inf,
        sigma_data: float = 0.5,
        model_type: str = "DhariwalUNet",
        **model_kwargs: Any,
    ):
        super().__init__()
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.label_dim = label_dim
        self.augment_dim = augment_dim
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.sigma_data = sigma_data
        self.model = NETWORKS[model_type](img_resolution, img_channels, label_dim, augment_dim, **model_kwargs)

    def forward(
        self,
        x: Tensor,
        sigma: Tensor | float,
        class_labels: Tensor | None = None,
        augment_labels: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Denoise.

        Args:
            x: noisy images [N, C, H, W].
            sigma: their noise level, one for all or [N].
            class_labels: one-hot [N, label_dim]; None means no class.
            augment_labels: what the augmentation did to each image [N, augment_dim]; None means nothing.
            dtype: the type in which the convolutional part of F_θ computes.

        Returns:
            The denoised images [N, C, H, W] in float32.
        """
        x = x.to(torch.float32)
        sigma = torch.as_tensor(sigma, dtype=torch.float32, device=x.device).reshape(-1, 1, 1, 1)
        # Labels that are not given are zeros, so that every parameter takes part whatever is given.
        class_labels = x.new_zeros(1, self.label_dim) if class_labels is None else class_labels.float()
        augment_labels = x.new_zeros(1, self.augment_dim) if augment_labels is None else augment_labels.float()

        total = sigma.square() + self.sigma_data**2
        c_skip = self.sigma_data**2 / total
        c_out = sigma * self.sigma_data / total.sqrt()
        c_in = 1 / total.sqrt()
        c_noise = sigma.log() / 4
        f = self.model((c_in * x).to(dtype), c_noise.flatten(), class_labels, augment_labels)
        return c_skip * x + c_out * f.to(torch.float32)
