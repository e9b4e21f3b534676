"""The U-Nets of EDM (arXiv 2206.00364).

`SongUNet` is DDPM++ or NCSN++, `DhariwalUNet` is ADM. Modules, parameters and buffers have the names and
shapes that they have in NVIDIA's checkpoints, so that weights load without a mapping table. A level of the
network is named by its resolution, as in `enc.16x16_block0`.

Parameters stay in float32. The convolutional part computes in the type of its input, the embedding of the
noise level and the labels always in float32.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.architecture import require

MAX_BLOCKS = 128  # of the encoder; EDM's have at most sixteen. A stranger's model may say any number.
MAX_TAPS = 32

# Layers


def downsample(x: Tensor, kernel: Tensor, padding: int | None = None) -> Tensor:
    """Filter every channel with the kernel [1, 1, K, K] and keep every second row and column."""
    channels = x.shape[1]
    weight = kernel.to(x.dtype).expand(channels, -1, -1, -1)
    padding = (kernel.shape[-1] - 1) // 2 if padding is None else padding
    return F.conv2d(x, weight, stride=2, padding=padding, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """The transpose of `downsample`, scaled so that a constant image stays as it is."""
    channels = x.shape[1]
    weight = (4 * kernel).to(x.dtype).expand(channels, -1, -1, -1)
    return F.conv_transpose2d(x, weight, stride=2, padding=(kernel.shape[-1] - 1) // 2, groups=channels)


def separable_kernel(taps: Sequence[float]) -> Tensor:
    """The normalised outer product of the taps with themselves, [1, 1, K, K]."""
    if len(taps) % 2 or not 2 <= len(taps) <= MAX_TAPS:
        raise InputError(
            f"architecture.resample_filter: {len(taps)} taps; give an even number of them, at most {MAX_TAPS}"
        )
    taps = np.array(taps, dtype=np.float32)  # torch.outer on the meta device would import its compiler first
    return torch.tensor(np.outer(taps, taps) / taps.sum() ** 2)[None, None]


Resampling = Callable[[Tensor, Tensor], Tensor]  # downsample or upsample


class Resample(nn.Module):
    """Halve or double the resolution."""

    def __init__(self, resampling: Resampling, taps: Sequence[float]):
        super().__init__()
        self.resampling = resampling
        self.register_buffer("resample_filter", separable_kernel(taps))

    def forward(self, x: Tensor) -> Tensor:
        return self.resampling(x, self.resample_filter)


class Conv(nn.Conv2d):
    """A convolution of the image, resampled beforehand if asked for, in the type of its input."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        resampling: Resampling | None = None,
        taps: Sequence[float] = (1, 1),
    ):
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        self.resampling = resampling
        if resampling:
            self.register_buffer("resample_filter", separable_kernel(taps))

    def forward(self, x: Tensor) -> Tensor:
        if self.resampling:
            x = self.resampling(x, self.resample_filter)
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype), padding=self.padding)


class PyramidConv(nn.Conv2d):
    """NCSN++'s way from one level of the input pyramid to the next: convolve, then downsample.

    The convolution pads for both, so that the filter meets no second border of zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, taps: Sequence[float]):
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1 + (len(taps) - 1) // 2)
        self.register_buffer("resample_filter", separable_kernel(taps))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype), padding=self.padding)
        return downsample(x, self.resample_filter, padding=0)


class Norm(nn.GroupNorm):
    """Group normalisation in the type of its input, with 32 groups or fewer, of at least 4 channels each."""

    def __init__(self, channels: int, eps: float):
        groups = min(32, channels // 4)
        if not groups or channels % groups:
            raise InputError(
                f"architecture: a layer of {channels} channels does not split into groups of equal size; "
                "make model_channels a multiple of 32"
            )
        super().__init__(groups, channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


class PositionalEmbedding(nn.Module):
    """cos and sin of the noise level at frequencies from 1 to 1/10000, [N] → [N, channels].

    With `endpoint` the lowest frequency is exactly 1/10000 (DDPM++), without it one step above (ADM). All is of
    the type of the noise level, float32 or float64.
    """

    def __init__(self, channels: int, endpoint: bool):
        super().__init__()
        self.half = channels // 2
        self.steps = self.half - endpoint

    def forward(self, noise: Tensor) -> Tensor:
        exponents = torch.arange(self.half, dtype=noise.dtype, device=noise.device) / self.steps
        angles = torch.outer(noise, (1 / 10000) ** exponents)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class FourierEmbedding(nn.Module):
    """cos and sin of the noise level at random frequencies, [N] → [N, channels] (NCSN++)."""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("freqs", 16 * torch.randn(channels // 2))

    def forward(self, noise: Tensor) -> Tensor:
        angles = torch.outer(noise, 2 * math.pi * self.freqs)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


# The residual block


class Step(NamedTuple):
    """One residual block in the plan of a U-Net."""

    name: str
    in_channels: int
    out_channels: int
    resampling: Resampling | None = None
    attention: bool = False
    joins_skip: bool = False  # whether its input is concatenated with the encoder's matching output


class BlockStyle(NamedTuple):
    """What all blocks of one architecture have in common (EDM, appendix F)."""

    emb_channels: int
    dropout: float
    eps: float  # of the normalisation
    skip_scale: float  # of every sum with a skip connection
    adaptive_scale: bool  # whether the embedding scales and shifts the activations, or only shifts them
    project_resampled: bool  # whether a resampled skip passes a 1×1 convolution although the width stays
    head_channels: int | None  # channels of an attention head; None for one head of all channels
    taps: Sequence[float]  # of the resampling filter


class Block(nn.Module):
    """Two convolutions that see the embedding in between, then perhaps self-attention."""

    def __init__(self, step: Step, style: BlockStyle):
        super().__init__()
        _, in_channels, out_channels, resampling, attention, _ = step
        self.style = style
        # Fewer channels than a head has: no attention, as in EDM.
        self.heads = out_channels // (style.head_channels or out_channels) if attention else 0

        self.norm0 = Norm(in_channels, style.eps)
        self.conv0 = Conv(in_channels, out_channels, 3, resampling, style.taps)
        self.affine = nn.Linear(style.emb_channels, out_channels * (2 if style.adaptive_scale else 1))
        self.norm1 = Norm(out_channels, style.eps)
        self.conv1 = Conv(out_channels, out_channels, 3)
        if in_channels != out_channels or (resampling and style.project_resampled):
            self.skip = Conv(in_channels, out_channels, 1, resampling, style.taps)
        else:
            self.skip = Resample(resampling, style.taps) if resampling else nn.Identity()
        if self.heads:
            self.norm2 = Norm(out_channels, style.eps)
            self.qkv = Conv(out_channels, 3 * out_channels, 1)
            self.proj = Conv(out_channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """[N, in_channels, H, W] and [N or 1, emb_channels] → [N, out_channels, H', W']."""
        style = self.style
        h = self.conv0(F.silu(self.norm0(x)))
        modulation = self.affine(emb)[:, :, None, None].to(h.dtype)
        if style.adaptive_scale:
            scale, shift = modulation.chunk(2, dim=1)
            h = self.norm1(h) * (1 + scale) + shift
        else:
            h = self.norm1(h + modulation)
        h = self.conv1(F.dropout(F.silu(h), style.dropout, self.training))
        x = (self.skip(x) + h) * style.skip_scale
        if self.heads:
            x = (x + self.proj(self.attend(self.qkv(self.norm2(x))))) * style.skip_scale
        return x

    def attend(self, qkv: Tensor) -> Tensor:
        """Self-attention over pixels, [N, 3·C, H, W] → [N, C, H, W]."""
        n, channels, height, width = qkv.shape
        # The channels are ordered by head, then feature, then q, k and v.
        qkv = qkv.reshape(n, self.heads, channels // (3 * self.heads), 3, height * width)
        q, k, v = qkv.permute(3, 0, 1, 4, 2).contiguous()
        attended = F.scaled_dot_product_attention(q, k, v)
        return attended.transpose(2, 3).reshape(n, channels // 3, height, width)


# The networks


def plan_blocks(
    img_resolution: int,
    stem_channels: int,
    widths: Sequence[int],
    num_blocks: int,
    attn_resolutions: Sequence[int],
    decoder_attends_once: bool,
) -> tuple[list[Step], list[Step]]:
    """The residual blocks of the encoder and of the decoder, in the order in which they run.

    A level has `num_blocks` blocks in the encoder, and one more in the decoder: that one takes the skip from
    the downsampling block, or on the first level from the stem. With `decoder_attends_once` only the last
    block of a level in the decoder has attention.
    """
    if not 1 <= len(widths) * num_blocks <= MAX_BLOCKS:
        raise InputError(
            f"architecture.num_blocks: {num_blocks} on each of {len(widths)} levels are {len(widths) * num_blocks}"
            f" blocks, not between 1 and {MAX_BLOCKS}; correct it"
        )
    if img_resolution % 2 ** (len(widths) - 1):
        raise InputError(
            f"architecture.img_resolution: {img_resolution} cannot be halved {len(widths) - 1} times; "
            "shorten channel_mult or resize the images"
        )
    sides = [img_resolution >> level for level in range(len(widths))]
    levels = [
        (f"{side}x{side}", width, side in attn_resolutions) for side, width in zip(sides, widths, strict=True)
    ]

    encoder = []
    channels = stem_channels
    for level, width, attention in levels:
        if encoder:
            encoder.append(Step(f"{level}_down", channels, channels, resampling=downsample))
        for i in range(num_blocks):
            encoder.append(Step(f"{level}_block{i}", channels, width, attention=attention))
            channels = width

    decoder = []
    skips = [stem_channels, *(step.out_channels for step in encoder)]
    for level, width, attention in reversed(levels):
        if decoder:
            decoder.append(Step(f"{level}_up", channels, channels, resampling=upsample))
        else:
            decoder.append(Step(f"{level}_in0", channels, channels, attention=True))
            decoder.append(Step(f"{level}_in1", channels, channels))
        for i in range(num_blocks + 1):
            attends = attention and (i == num_blocks or not decoder_attends_once)
            decoder.append(
                Step(f"{level}_block{i}", channels + skips.pop(), width, attention=attends, joins_skip=True)
            )
            channels = width
    return encoder, decoder


def pyramid_name(step: Step) -> str:
    """The name of the pyramid's convolution that runs beside a downsampling block."""
    return step.name.replace("down", "aux_residual")


class UNet(nn.Module):
    """Encoder, decoder and the skips between them. A subclass adds the embedding and the output.

    It computes EDM's F_θ: an image [N, C, H, W], c_noise [N or 1], class labels [N or 1, label_dim] and
    augment labels [N or 1, augment_dim] → [N, C, H, W].
    """

    label_dropout: float

    def add_blocks(
        self,
        stem: str,
        img_channels: int,
        plan: tuple[list[Step], list[Step]],
        style: BlockStyle,
        pyramid: bool = False,
    ) -> None:
        """Register `enc` and `dec`; `pyramid` adds NCSN++'s path from the image to every lower level."""
        self.stem = stem
        self.encoder, self.decoder = plan
        self.pyramid = pyramid
        channels = self.encoder[0].in_channels
        self.enc = nn.ModuleDict({stem: Conv(img_channels, channels, 3)})
        pyramid_channels = img_channels
        for step in self.encoder:
            self.enc[step.name] = Block(step, style)
            if pyramid and step.resampling:
                self.enc[pyramid_name(step)] = PyramidConv(pyramid_channels, step.out_channels, style.taps)
                pyramid_channels = step.out_channels
        self.dec = nn.ModuleDict({step.name: Block(step, style) for step in self.decoder})

    def forward(self, image: Tensor, noise: Tensor, class_labels: Tensor, augment_labels: Tensor) -> Tensor:
        if self.training and self.label_dropout:
            kept = torch.rand(len(image), 1, device=image.device) >= self.label_dropout
            class_labels = class_labels * kept
        emb = F.silu(self.embed(noise, class_labels, augment_labels))

        x = self.enc[self.stem](image)
        skips = [x]
        shrunk = image
        for step in self.encoder:
            x = self.enc[step.name](x, emb)
            if self.pyramid and step.resampling:
                x = shrunk = (x + self.enc[pyramid_name(step)](shrunk)) * math.sqrt(0.5)
            skips.append(x)
        for step in self.decoder:
            if step.joins_skip:
                x = torch.cat([x, skips.pop()], dim=1)
            x = self.dec[step.name](x, emb)
        return self.output(x)

    def embed(self, noise: Tensor, class_labels: Tensor, augment_labels: Tensor) -> Tensor:
        """What every block sees of the noise level and the labels, before a SiLU, [N or 1, emb_channels]."""
        raise NotImplementedError

    def output(self, x: Tensor) -> Tensor:
        """From the decoder's last features to the image."""
        raise NotImplementedError


class SongUNet(UNet):
    """DDPM++ and NCSN++ (Song et al., arXiv 2011.13456) as EDM uses them; the parameters are explained there.

    Of the encoders `standard` and `residual`, of the decoders `standard` is supported: what the presets use.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 128,
        channel_mult: Sequence[int] = (1, 2, 2, 2),
        channel_mult_emb: int = 4,
        num_blocks: int = 4,
        attn_resolutions: Sequence[int] = (16,),
        dropout: float = 0.10,
        label_dropout: float = 0,
        embedding_type: str = "positional",
        channel_mult_noise: int = 1,
        encoder_type: str = "standard",
        decoder_type: str = "standard",
        resample_filter: Sequence[float] = (1, 1),
    ):
        super().__init__()
        require("embedding_type", embedding_type, ["positional", "fourier"])
        require("encoder_type", encoder_type, ["standard", "residual"])
        require("decoder_type", decoder_type, ["standard"])
        self.label_dropout = label_dropout
        noise_channels = model_channels * channel_mult_noise
        emb_channels = model_channels * channel_mult_emb
        if embedding_type == "positional":
            self.map_noise = PositionalEmbedding(noise_channels, endpoint=True)
        else:
            self.map_noise = FourierEmbedding(noise_channels)
        self.map_label = nn.Linear(label_dim, noise_channels) if label_dim else None
        self.map_augment = nn.Linear(augment_dim, noise_channels, bias=False) if augment_dim else None
        self.map_layer0 = nn.Linear(noise_channels, emb_channels)
        self.map_layer1 = nn.Linear(emb_channels, emb_channels)
        widths = [model_channels * multiplier for multiplier in channel_mult]
        style = BlockStyle(
            emb_channels=emb_channels,
            dropout=dropout,
            eps=1e-6,
            skip_scale=math.sqrt(0.5),
            adaptive_scale=False,
            project_resampled=True,
            head_channels=None,
            taps=resample_filter,
        )
        plan = plan_blocks(
            img_resolution, model_channels, widths, num_blocks, attn_resolutions, decoder_attends_once=True
        )
        top = f"{img_resolution}x{img_resolution}"
        self.add_blocks(f"{top}_conv", img_channels, plan, style, pyramid=encoder_type == "residual")
        self.head = f"{top}_aux"
        self.dec[f"{self.head}_norm"] = Norm(widths[0], style.eps)
        self.dec[f"{self.head}_conv"] = Conv(widths[0], img_channels, 3)
        self.initialise()

    def initialise(self) -> None:
        """Xavier-uniform weights and no biases; what ends a residual branch starts near zero."""
        gains = {"conv1": 1e-5, "proj": 1e-5, f"{self.head}_conv": 1e-5, "qkv": math.sqrt(0.2)}
        for name, layer in self.named_modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                nn.init.xavier_uniform_(layer.weight, gains.get(name.rpartition(".")[2], 1))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def embed(self, noise: Tensor, class_labels: Tensor, augment_labels: Tensor) -> Tensor:
        emb = self.noise_features(noise)
        if self.map_label is not None:
            emb = emb + self.map_label(class_labels * math.sqrt(self.map_label.in_features))
        if self.map_augment is not None:
            emb = emb + self.map_augment(augment_labels)
        return self.map_layer1(F.silu(self.map_layer0(emb)))

    def noise_features(self, noise: Tensor) -> Tensor:
        """sin and cos of the noise level in the type of the weights, [N] → [N, noise_channels]."""
        cos, sin = self.map_noise(noise).to(self.map_layer0.weight.dtype).chunk(2, dim=1)
        return torch.cat([sin, cos], dim=1)

    def output(self, x: Tensor) -> Tensor:
        return self.dec[f"{self.head}_conv"](F.silu(self.dec[f"{self.head}_norm"](x)))


class DhariwalUNet(UNet):
    """ADM (Dhariwal and Nichol, arXiv 2105.05233) as EDM uses it; the parameters are explained there."""

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_emb: int = 4,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (32, 16, 8),
        dropout: float = 0.10,
        label_dropout: float = 0,
    ):
        super().__init__()
        self.label_dropout = label_dropout
        emb_channels = model_channels * channel_mult_emb
        self.map_noise = PositionalEmbedding(model_channels, endpoint=False)
        self.map_augment = nn.Linear(augment_dim, model_channels, bias=False) if augment_dim else None
        self.map_layer0 = nn.Linear(model_channels, emb_channels)
        self.map_layer1 = nn.Linear(emb_channels, emb_channels)
        self.map_label = nn.Linear(label_dim, emb_channels, bias=False) if label_dim else None
        widths = [model_channels * multiplier for multiplier in channel_mult]
        style = BlockStyle(
            emb_channels=emb_channels,
            dropout=dropout,
            eps=1e-5,
            skip_scale=1,
            adaptive_scale=True,
            project_resampled=False,
            head_channels=64,
            taps=(1, 1),
        )
        plan = plan_blocks(
            img_resolution, widths[0], widths, num_blocks, attn_resolutions, decoder_attends_once=False
        )
        self.add_blocks(f"{img_resolution}x{img_resolution}_conv", img_channels, plan, style)
        self.out_norm = Norm(widths[0], style.eps)
        self.out_conv = Conv(widths[0], img_channels, 3)
        self.initialise()

    def initialise(self) -> None:
        """PyTorch's own, but zero for what ends a residual branch, and N(0, 1) for the labels' weights."""
        for name, layer in self.named_modules():
            if name.rpartition(".")[2] in ("conv1", "proj", "out_conv", "map_augment"):
                for parameter in layer.parameters():
                    nn.init.zeros_(parameter)
        if self.map_label is not None:
            nn.init.normal_(self.map_label.weight)

    def embed(self, noise: Tensor, class_labels: Tensor, augment_labels: Tensor) -> Tensor:
        emb = self.map_noise(noise)
        if self.map_augment is not None:
            emb = emb + self.map_augment(augment_labels)
        emb = self.map_layer1(F.silu(self.map_layer0(emb)))
        if self.map_label is not None:
            emb = emb + self.map_label(class_labels)
        return emb

    def output(self, x: Tensor) -> Tensor:
        return self.out_conv(F.silu(self.out_norm(x)))


NETWORKS = {"SongUNet": SongUNet, "DhariwalUNet": DhariwalUNet}
