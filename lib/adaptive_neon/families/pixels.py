"""Images as tensors: eight bits a channel, or real numbers in [−1, 1]."""

import torch
import torch.nn.functional as F
from torch import Tensor


def to_uint8(x: Tensor) -> Tensor:
    """Images in [−1, 1], [N, C, H, W], as uint8 [N, H, W, C]: x·127.5 + 128, clipped and truncated, as in EDM.

    If any image is not finite, none is returned, [0, H, W, C]: the model that made them has diverged.
    """
    if not torch.isfinite(x).all():
        x = x[:0]
    return (x * 127.5 + 128).clip(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def to_levels(x: Tensor) -> Tensor:
    """The values of `to_uint8` as float32, with the gradient that they had if truncation were the identity."""
    if not torch.isfinite(x).all():
        x = x[:0]
    levels = (x * 127.5 + 128).clip(0, 255)
    return (levels + (levels.floor() - levels).detach()).permute(0, 2, 3, 1).float()


def from_uint8(images: Tensor) -> Tensor:
    """uint8 [N, H, W, C] as float32 [N, C, H, W] in [−1, 1]."""
    return images.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1


def one_hot(labels: Tensor | None, label_dim: int, device: torch.device) -> Tensor | None:
    """Classes int64 [N] as float32 [N, label_dim] on a device; None for a network without classes."""
    return F.one_hot(labels.to(device), label_dim).float() if label_dim else None
