"""The convolutional tokenizer of VAR, a VQGAN with multi-scale quantisation, with its published names."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.families.var.published import STRIDE
from adaptive_neon.families.var.quantizer import Quantizer

CHANNEL_MULT = (1, 1, 2, 2, 4)  # width of each resolution, in units of `ch`
NUM_BLOCKS = 2  # residual blocks a resolution; the decoder has one more
PIXELS = 2**20  # at a time: a batch for the transformer is too large for convolutions at full resolution


class VQVAE(nn.Module):
    """Encoder, multi-scale quantisation, decoder; images of 16·p_S pixels a side.

    Args:
        img_channels: of the images.
        patch_nums: sides of the token maps, p_1 … p_S.
        vocab_size: entries of the codebook.
        z_channels: length of an entry.
        ch: width of the highest resolution, a multiple of 32.
    """

    def __init__(self, img_channels: int, patch_nums: Sequence[int], vocab_size: int, z_channels: int, ch: int):
        super().__init__()
        self.encoder = Encoder(img_channels, z_channels, ch)
        self.decoder = Decoder(img_channels, z_channels, ch)
        self.quantize = Quantizer(patch_nums, vocab_size, z_channels, residual_convolutions=True)
        self.quant_conv = nn.Conv2d(z_channels, z_channels, 3, padding=1)
        self.post_quant_conv = nn.Conv2d(z_channels, z_channels, 3, padding=1)

    def encode(self, images: Tensor) -> Tensor:
        """Images in [−1, 1], [N, C, H, W], as features [N, z_channels, H/16, W/16]."""
        return in_parts(lambda part: self.quant_conv(self.encoder(part)), images, images.shape[-1])

    def decode(self, f_hat: Tensor) -> Tensor:
        """Features as images in [−1, 1], float32."""
        return in_parts(
            lambda part: self.decoder(self.post_quant_conv(part)).float().clamp(-1, 1),
            f_hat,
            STRIDE * f_hat.shape[-1],
        )


def in_parts(function: Callable[[Tensor], Tensor], x: Tensor, side: int) -> Tensor:
    """A function of a batch, of as many images at a time as memory is likely to hold."""
    return torch.cat([function(part) for part in x.split(max(1, PIXELS // side**2))])


class Encoder(nn.Module):
    """[N, C, H, W] → [N, z, H/16, W/16]."""

    def __init__(self, img_channels: int, z_channels: int, ch: int):
        super().__init__()
        self.conv_in = nn.Conv2d(img_channels, ch, 3, padding=1)
        self.down = nn.ModuleList()
        width, lowest = ch, len(CHANNEL_MULT) - 1
        for level, factor in enumerate(CHANNEL_MULT):
            blocks, width = _residual_blocks(width, factor * ch, NUM_BLOCKS), factor * ch
            self.down.append(_level(blocks, width, level == lowest))
            if level < lowest:
                self.down[level]["downsample"] = Downsample(width)
        self.mid = _middle(width)
        self.norm_out = group_norm(width)
        self.conv_out = nn.Conv2d(width, z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = _run(level, x)
            if "downsample" in level:
                x = level["downsample"](x)
        return self.conv_out(F.silu(self.norm_out(_run_middle(self.mid, x))))


class Decoder(nn.Module):
    """[N, z, H/16, W/16] → [N, C, H, W]."""

    def __init__(self, img_channels: int, z_channels: int, ch: int):
        super().__init__()
        width, lowest = ch * CHANNEL_MULT[-1], len(CHANNEL_MULT) - 1
        self.conv_in = nn.Conv2d(z_channels, width, 3, padding=1)
        self.mid = _middle(width)
        levels = []
        for level in range(lowest, -1, -1):
            blocks, width = (
                _residual_blocks(width, CHANNEL_MULT[level] * ch, NUM_BLOCKS + 1),
                CHANNEL_MULT[level] * ch,
            )
            levels.insert(0, _level(blocks, width, level == lowest))
            if level:
                levels[0]["upsample"] = Upsample(width)
        self.up = nn.ModuleList(levels)
        self.norm_out = group_norm(width)
        self.conv_out = nn.Conv2d(width, img_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = _run_middle(self.mid, self.conv_in(z))
        for level in reversed(self.up):
            x = _run(level, x)
            if "upsample" in level:
                x = level["upsample"](x)
        return self.conv_out(F.silu(self.norm_out(x)))


class ResidualBlock(nn.Module):
    """Two convolutions beside an identity, or a 1 × 1 convolution where the width changes."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm1 = group_norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = group_norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.nin_shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return self.nin_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class SpatialAttention(nn.Module):
    """Attention of one head between all positions."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = group_norm(width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        attended = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.proj_out(attended.transpose(1, 2).view_as(x))


class Downsample(nn.Module):
    """Half the resolution; the padding is at the right and at the bottom alone."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the resolution."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


def group_norm(width: int) -> nn.GroupNorm:
    """In 32 groups."""
    return nn.GroupNorm(32, width, eps=1e-6)


def _residual_blocks(inputs: int, outputs: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(ResidualBlock(outputs if i else inputs, outputs) for i in range(count))


def _level(blocks: nn.ModuleList, width: int, attends: bool) -> nn.ModuleDict:
    attention = nn.ModuleList(SpatialAttention(width) for _ in range(len(blocks) * attends))
    return nn.ModuleDict({"block": blocks, "attn": attention})


def _run(level: nn.ModuleDict, x: Tensor) -> Tensor:
    for i, block in enumerate(level["block"]):
        x = block(x)
        if level["attn"]:
            x = level["attn"][i](x)
    return x


def _middle(width: int) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "block_1": ResidualBlock(width, width),
            "attn_1": SpatialAttention(width),
            "block_2": ResidualBlock(width, width),
        }
    )


def _run_middle(middle: nn.ModuleDict, x: Tensor) -> Tensor:
    return middle["block_2"](middle["attn_1"](middle["block_1"](x)))
