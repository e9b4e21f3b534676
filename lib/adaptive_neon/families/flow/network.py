"""The velocity field of flow matching."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from adaptive_neon.families.networks.dit import DiT
from adaptive_neon.families.networks.unet import DhariwalUNet, SongUNet

NETWORKS = {"SongUNet": SongUNet, "DhariwalUNet": DhariwalUNet, "DiT": DiT}
TIME_SCALE = 1000  # the embeddings of time were designed for the steps 0 … 1000 of a diffusion


class VelocityField(nn.Module):
    """v_θ(x, t), one network with the time and perhaps the class as inputs.

    Args:
        img_resolution: side of the square images in pixels.
        img_channels: their channels.
        label_dim: number of classes, 0 for an unconditional model.
        model_type: `SongUNet`, `DhariwalUNet` or `DiT`.
        model_kwargs: further arguments of that network.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        model_type: str = "DiT",
        **model_kwargs: Any,
    ):
        super().__init__()
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.label_dim = label_dim
        self.is_unet = model_type != "DiT"
        network = NETWORKS[model_type]
        self.model = network(img_resolution, img_channels, label_dim, **model_kwargs)

    def forward(
        self, x: Tensor, t: Tensor, class_labels: Tensor | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """The velocity.

        Args:
            x: states [N, C, H, W].
            t: their times in [0, 1], one for all or [N].
            class_labels: one-hot [N, label_dim]; None means no class.
            dtype: the type in which the network computes; embeddings stay in float32.

        Returns:
            [N, C, H, W] in float32.
        """
        t = torch.as_tensor(t, dtype=torch.float32, device=x.device).flatten() * TIME_SCALE
        labels = (
            x.new_zeros(1, self.label_dim, dtype=torch.float32) if class_labels is None else class_labels.float()
        )
        if self.is_unet:
            v = self.model(x.to(dtype), t, labels, labels.new_zeros(1, 0))
        else:
            with nullcontext() if dtype == torch.float32 else torch.autocast(x.device.type, dtype):
                v = self.model(x.to(torch.float32), t, labels)
        return v.to(torch.float32)
