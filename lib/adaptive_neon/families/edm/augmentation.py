"""Geometric augmentation that the network is told about (EDM, Karras et al. 2022, appendix F.2).

Random transformations, each applied to an image with the same probability, make up one affine map, by
which the image is resampled without aliasing (StyleGAN2-ADA, Karras et al. 2020, arXiv 2006.06676,
appendix B). Nine labels tell the network what was done; all zero, as when sampling, means nothing.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Standard deviations: of scale factors in log2, of translations in sides of the image.
SCALE_STD = ANISOTROPY_STD = 0.2
TRANSLATION_STD = 0.125
ROTATED_ANISOTROPY = 0.5  # probability that anisotropic scaling has a random axis

# The low-pass filter of the wavelet sym6 (Daubechies, Ten Lectures on Wavelets, 1992). Its shifts by
# two are orthonormal, so that downsampling undoes upsampling.
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
REACH = len(SYM6) // 4  # pixels to either side, at two samples a pixel


def augment(images: Tensor, probability: float, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Transform each image at random, as in EDM's training.

    Args:
        images: float [N, C, H, W].
        probability: of each transformation (EDM: 0.12 on CIFAR-10), of which mirroring comes to effect
            half of the time. Left-right mirroring has probability 1 unless this is 0.
        generator: the source of random numbers, on the device of the images; None means torch's own.

    Returns:
        The transformed images, and the labels [N, 9] of what was done: mirrored left-right, mirrored
        up-down, scale, cos − 1 and sin of the rotation angle, x and y of the anisotropic scaling,
        x and y of the translation; scales and translations in standard deviations.
    """
    count, _, height, width = images.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=images.device)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=images.device)

    def coin() -> Tensor:
        return torch.randint(2, (count,), generator=generator, device=images.device)

    def angle() -> Tensor:
        return (uniform(count) * 2 - 1) * math.pi

    def sometimes(value: Tensor, probability: float = probability) -> Tensor:
        return torch.where(uniform(count) < probability, value, 0)

    # The draws are in the order of EDM's own code, so that one seed gives the same images.
    mirror_x = sometimes(coin(), float(probability > 0))
    mirror_y = sometimes(coin())
    scale = sometimes(normal(count))
    rotation = sometimes(angle())
    anisotropy, axis = normal(count), angle()
    anisotropy, axis = sometimes(anisotropy), sometimes(axis, ROTATED_ANISOTROPY)
    translation = sometimes(normal(2, count))

    for mirrored, dimension in ((mirror_x, 3), (mirror_y, 2)):
        images = torch.where(mirrored.bool()[:, None, None, None], images.flip(dimension), images)

    # Each pixel of the result comes from `linear` · its position + `offset`: the inverse transformations
    # in reverse order. The stretch by 1/f along the axis and by f across it is written so that f = 1
    # gives the exact identity.
    f = (anisotropy * ANISOTROPY_STD).exp2()
    mean, half = (1 / f + f) / 2, (1 / f - f) / 2
    along, across = half * (2 * axis).cos(), -half * (2 * axis).sin()
    stretch = _matrix(mean + along, across, across, mean - along)
    turn = _matrix(rotation.cos(), -rotation.sin(), rotation.sin(), rotation.cos())
    linear = turn @ stretch / (scale * SCALE_STD).exp2()[:, None, None]
    sides = torch.tensor([width, height], device=images.device)
    offset = -(linear @ (translation.T * sides * TRANSLATION_STD)[:, :, None])[:, :, 0]

    labels = [mirror_x, mirror_y, scale, rotation.cos() - 1, rotation.sin()]
    labels += [anisotropy * axis.cos(), anisotropy * axis.sin(), *translation]
    return resample(images, linear, offset), torch.stack(labels, 1).float()


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Matrices ((a, b), (c, d)), [N, 2, 2], from entries [N]."""
    return torch.stack([a, b, c, d], 1).reshape(-1, 2, 2)


def resample(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Affine transformation of band-limited images, reflected beyond their borders (StyleGAN2-ADA, appendix B).

    The result at position p is the image at `linear` · p + `offset`, where positions (x, y) are in pixels
    from the middle, y downwards. Images that the identity maps come back unchanged, bit for bit.

    Args:
        images: float [N, C, H, W].
        linear: [N, 2, 2].
        offset: [N, 2], in pixels.
    """
    identity = torch.eye(2, device=images.device)
    moved = ((linear != identity).flatten(1).any(1) | (offset != 0).any(1)).nonzero()[:, 0]
    if not len(moved):
        return images

    # Reflect as far as the corners of any image, and the filters around them, reach; but by less than
    # the side of the image, where reflection ends.
    height, width = images.shape[2:]
    sides = torch.tensor([width, height], device=images.device)
    corner = (sides - 1) / 2
    excess = linear.abs() @ corner - corner + 2 * REACH
    margins = torch.stack([excess - offset, excess + offset], 2).amax(0).ceil().clamp(min=0)
    left, right, top, bottom = margins.minimum(sides[:, None] - 1).int().flatten().tolist()
    x = F.pad(images[moved], [left, right, top, bottom], mode="reflect")

    # Upsample. In the new, twice as large pixel coordinates the filter brings in a shift of half a pixel.
    count, channels = x.shape[:2]
    row = torch.tensor(SYM6, device=x.device).reshape(1, 1, 1, -1)
    column = row.mT
    x = x.reshape(count * channels, 1, *x.shape[2:])
    x = F.conv_transpose2d(x, row, stride=(1, 2), padding=(0, 2 * REACH - 1))
    x = F.conv_transpose2d(x, column, stride=(2, 1), padding=(2 * REACH - 1, 0))
    x = x.reshape(count, channels, *x.shape[2:])
    linear = linear[moved]
    offset = (
        2 * offset[moved] + (linear.sum(2) - 1) / 2 + torch.tensor([left - right, top - bottom], device=x.device)
    )

    # Transform, with the surroundings that the filter takes in. `affine_grid` counts in half sides.
    size = [count, channels, 2 * (height + 2 * REACH - 1), 2 * (width + 2 * REACH - 1)]
    source = sides + torch.tensor([left + right, top + bottom], device=x.device)
    target = sides + 2 * REACH - 1
    theta = torch.cat([linear * target, offset[:, :, None]], 2) / source[:, None]
    grid = F.affine_grid(theta, size, align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    # Downsample.
    x = x.reshape(count * channels, 1, *x.shape[2:])
    x = F.conv2d(F.conv2d(x, row, stride=(1, 2)), column, stride=(2, 1))
    return images.index_copy(0, moved, x.reshape(count, channels, height, width))
