"""VAR's augmentation: images are enlarged and cropped at random."""

from functools import cache

import torch
from torch import Tensor

LOBES = 3  # of the Lanczos kernel


def enlarge_and_crop(images: Tensor, ratio: float) -> Tensor:
    """Square images, enlarged and cropped to their size at a random place, as Pillow and torchvision do.

    Args:
        images: uint8 [N, H, H, C].
        ratio: of the enlarged side to H, rounded to pixels; 1 does nothing.

    Returns:
        Whole numbers 0 … 255, float32 [N, C, H, H]. Places come from torch's global stream on the CPU.
    """
    x = images.permute(0, 3, 1, 2).float()
    size = x.shape[-1]
    enlarged = round(ratio * size)
    if enlarged == size:
        return x
    places = torch.randint(enlarged - size + 1, (2, len(x), 1)) + torch.arange(size)
    rows, columns = lanczos(size, enlarged).to(x.device)[places.to(x.device)][:, :, None]
    return _rounded(rows @ _rounded(x @ columns.mT))


def _rounded(x: Tensor) -> Tensor:
    """To grey levels, as Pillow does after each direction."""
    return (x + 0.5).floor().clamp(0, 255)


@cache
def lanczos(size: int, enlarged: int) -> Tensor:
    """Pillow's Lanczos filter as a matrix: what each of the `enlarged` pixels takes from the `size` ones."""
    centres = (torch.arange(enlarged, dtype=torch.float64)[:, None] + 0.5) * size / enlarged
    distance = torch.arange(size, dtype=torch.float64) + 0.5 - centres
    weights = torch.sinc(distance) * torch.sinc(distance / LOBES) * (distance.abs() < LOBES)
    return (weights / weights.sum(1, keepdim=True)).float()
