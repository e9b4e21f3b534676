"""The KL autoencoder of latent diffusion (Rombach et al. 2022, arXiv 2112.10752), with its parameter names.

MAR's KL-16 and the autoencoder of Stable Diffusion, f = 8, are of this kind. Models of latents see images and
show them by a trained one, which stays as it is.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError

GROUPS = 32  # of every normalisation
EPS = 1e-6
LOG_VARIANCES = (-30, 20)  # what the encoder's are clamped to
CHUNK = 32  # images at a time: at 256 pixels, one activation of the widest layer takes a gigabyte


class AutoencoderKL(nn.Module):
    """Images [N, C, H, W] in [−1, 1] ↔ latents [N, Z, H/f, W/f], f = 2^(levels − 1).

    Args:
        img_channels: C.
        ch: channels at the full resolution, a multiple of 32.
        ch_mult: those of each level, in units of `ch`; one level follows on the other at half its resolution.
        num_res_blocks: residual blocks a level of the encoder; the decoder has one more.
        attn_levels: levels of the encoder with an attention after each block.
        z_channels: Z.
    """

    def __init__(
        self,
        img_channels: int = 3,
        ch: int = 128,
        ch_mult: Sequence[int] = (1, 2, 4, 4),
        num_res_blocks: int = 2,
        attn_levels: Sequence[int] = (),
        z_channels: int = 4,
    ):
        super().__init__()
        if ch % GROUPS:
            raise InputError(f"codec.ch: {ch} is no multiple of {GROUPS}; choose one that is")
        widths = [ch * factor for factor in ch_mult]
        self.factor = 2 ** (len(widths) - 1)
        self.z_channels = z_channels
        self.encoder = Encoder(img_channels, ch, widths, num_res_blocks, attn_levels, 2 * z_channels)
        self.decoder = Decoder(z_channels, widths, num_res_blocks + 1, img_channels)
        self.quant_conv = nn.Conv2d(2 * z_channels, 2 * z_channels, 1)
        self.post_quant_conv = nn.Conv2d(z_channels, z_channels, 1)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents q(z | x) of images, in float32."""
        moments = torch.cat([self.quant_conv(self.encoder(part)) for part in images.split(CHUNK)])
        mean, log_variance = moments.float().chunk(2, dim=1)
        return mean, torch.exp(log_variance.clamp(*LOG_VARIANCES) / 2)

    def sample(self, images: Tensor) -> Tensor:
        """Latents z ~ q(z | x) of images; random numbers come from torch's global stream."""
        mean, std = self.encode(images)
        return mean + std * torch.randn_like(mean)

    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents."""
        return torch.cat([self.decoder(self.post_quant_conv(part)) for part in latents.split(CHUNK)])


class Encoder(nn.Module):
    """From the image to the lowest resolution."""

    def __init__(
        self,
        img_channels: int,
        ch: int,
        widths: Sequence[int],
        blocks: int,
        attn_levels: Sequence[int],
        out_channels: int,
    ):
        super().__init__()
        self.conv_in = conv(img_channels, ch)
        levels = zip([ch, *widths[:-1]], widths, strict=True)
        self.down = nn.ModuleList(
            Level(before, width, blocks, level in attn_levels) for level, (before, width) in enumerate(levels)
        )
        for level, width in zip(self.down[:-1], widths[:-1], strict=True):
            level.downsample = nn.ModuleDict({"conv": nn.Conv2d(width, width, 3, stride=2)})
        self.mid = middle(widths[-1])
        self.norm_out = norm(widths[-1])
        self.conv_out = conv(widths[-1], out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
            if hasattr(level, "downsample"):
                x = level.downsample["conv"](
                    F.pad(x, (0, 1, 0, 1))
                )  # as published: no zeros at the left and the top
        for layer in self.mid.values():
            x = layer(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class Decoder(nn.Module):
    """From the lowest resolution to the image. Level 0 has the full resolution, as in the encoder."""

    def __init__(self, z_channels: int, widths: Sequence[int], blocks: int, img_channels: int):
        super().__init__()
        self.conv_in = conv(z_channels, widths[-1])
        self.mid = middle(widths[-1])
        levels = zip([*widths[1:], widths[-1]], widths, strict=True)
        self.up = nn.ModuleList(Level(before, width, blocks) for before, width in levels)
        for level, width in zip(self.up[1:], widths[1:], strict=True):
            level.upsample = nn.ModuleDict({"conv": conv(width, width)})
        self.norm_out = norm(widths[0])
        self.conv_out = conv(widths[0], img_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for layer in self.mid.values():
            x = layer(x)
        for level in reversed(self.up):
            x = level(x)
            if hasattr(level, "upsample"):
                x = level.upsample["conv"](F.interpolate(x, scale_factor=2, mode="nearest"))
        return self.conv_out(F.silu(self.norm_out(x)))


class Level(nn.Module):
    """The residual blocks of one resolution, each perhaps with an attention behind it."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int, attention: bool = False):
        super().__init__()
        widths = [in_channels] + [out_channels] * (blocks - 1)
        self.block = nn.ModuleList(ResidualBlock(width, out_channels) for width in widths)
        self.attn = nn.ModuleList(Attention(out_channels) for _ in widths if attention)

    def forward(self, x: Tensor) -> Tensor:
        for i, block in enumerate(self.block):
            x = block(x)
            if self.attn:
                x = self.attn[i](x)
        return x


class ResidualBlock(nn.Module):
    """Two convolutions, each after a normalisation and a SiLU, and a way around them."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.norm1 = norm(in_channels)
        self.conv1 = conv(in_channels, out_channels)
        self.norm2 = norm(out_channels)
        self.conv2 = conv(out_channels, out_channels)
        if in_channels != out_channels:
            self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    """Self-attention over the pixels, with one head."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        return x + self.proj_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))


def middle(channels: int) -> nn.ModuleDict:
    """Block, attention and block at the lowest resolution."""
    return nn.ModuleDict(
        {
            "block_1": ResidualBlock(channels, channels),
            "attn_1": Attention(channels),
            "block_2": ResidualBlock(channels, channels),
        }
    )


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """3×3, of the same resolution."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def norm(channels: int) -> nn.GroupNorm:
    """Group normalisation."""
    return nn.GroupNorm(GROUPS, channels, EPS)
