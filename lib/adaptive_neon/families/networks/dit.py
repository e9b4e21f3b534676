"""The diffusion transformer (Peebles and Xie 2022, arXiv 2212.09748), with the parameter names of DiT and SiT."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError

FREQUENCIES = 256  # of the embedding of time, half of them cosines


class DiT(nn.Module):
    """Image patches as tokens, transformer blocks that time and class modulate (adaLN-Zero).

    It takes images [N, C, H, W], times [N or 1] and class labels [N or 1, label_dim], one-hot or all zero for no
    class, and gives [N, C, H, W].

    Args:
        img_resolution: side of the square images in pixels, a multiple of `patch_size`.
        img_channels: their channels.
        label_dim: number of classes.
        patch_size: side of a patch in pixels.
        hidden_size: width of a token, a multiple of 4 and of `num_heads`.
        depth: number of blocks.
        num_heads: of the attention.
        mlp_ratio: width of the hidden layer of the MLP, in units of `hidden_size`.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        patch_size: int = 2,
        hidden_size: int = 1152,
        depth: int = 28,
        num_heads: int = 16,
        mlp_ratio: float = 4,
    ):
        super().__init__()
        for key, divisor in (("img_resolution", patch_size), ("hidden_size", 4), ("hidden_size", num_heads)):
            value = {"img_resolution": img_resolution, "hidden_size": hidden_size}[key]
            if value % divisor:
                raise InputError(f"architecture.{key}: {value} is no multiple of {divisor}; choose one that is")
        self.patch_size = patch_size
        self.img_channels = img_channels
        self.side = img_resolution // patch_size
        self.register_buffer("pos_embed", sincos_table(hidden_size, self.side)[None])
        self.x_embedder = nn.ModuleDict(
            {"proj": nn.Conv2d(img_channels, hidden_size, patch_size, stride=patch_size)}
        )
        self.t_embedder = nn.ModuleDict({"mlp": mlp(FREQUENCIES, hidden_size, nn.SiLU())})
        # The last row stands for no class.
        self.y_embedder = nn.ModuleDict({"embedding_table": nn.Embedding(label_dim + 1, hidden_size)})
        self.blocks = nn.ModuleList(DiTBlock(hidden_size, num_heads, mlp_ratio) for _ in range(depth))
        self.final_layer = FinalLayer(hidden_size, patch_size**2 * img_channels)
        self.initialise()

    def initialise(self) -> None:
        """As in DiT: Xavier-uniform, small embeddings, and zero for what modulates and for the output."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        projection = self.x_embedder["proj"]
        nn.init.xavier_uniform_(projection.weight.view(projection.out_channels, -1))
        nn.init.zeros_(projection.bias)
        for layer in (*self.t_embedder["mlp"][::2], self.y_embedder["embedding_table"]):
            nn.init.normal_(layer.weight, std=0.02)
        for layer in (*(block.adaLN_modulation[1] for block in self.blocks), self.final_layer.adaLN_modulation[1]):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.final_layer.linear.weight)

    def forward(self, image: Tensor, time: Tensor, class_labels: Tensor) -> Tensor:
        count, side, size = len(image), self.side, self.patch_size
        condition = F.silu(self.embed(time, class_labels))
        x = self.x_embedder["proj"](image).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x, condition)
        x = self.final_layer(x, condition).reshape(count, side, side, size, size, self.img_channels)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(count, self.img_channels, side * size, side * size)

    def embed(self, time: Tensor, class_labels: Tensor) -> Tensor:
        """What every block sees of time and class, [N or 1, hidden_size]."""
        table = self.y_embedder["embedding_table"].weight
        classes = torch.cat([class_labels, 1 - class_labels.sum(1, keepdim=True)], 1) @ table
        return self.t_embedder["mlp"](time_features(time).to(table.dtype)) + classes


class DiTBlock(nn.Module):
    """Attention and MLP, each after a normalisation that the condition shifts and scales, and behind its gate."""

    def __init__(self, width: int, num_heads: int, mlp_ratio: float):
        super().__init__()
        self.num_heads = num_heads
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        hidden = int(mlp_ratio * width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.adaLN_modulation = modulation(width, 6)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Tokens [N, L, D] and the condition [N or 1, D] after its SiLU → [N, L, D]."""
        parts = self.adaLN_modulation[1](condition)[:, None].chunk(6, dim=2)
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = parts
        x = x + gate * self.attend(normalise(x, shift, scale))
        hidden = F.gelu(self.mlp["fc1"](normalise(x, shift_mlp, scale_mlp)), approximate="tanh")
        return x + gate_mlp * self.mlp["fc2"](hidden)

    def attend(self, x: Tensor) -> Tensor:
        """Self-attention over the tokens."""
        n, length, width = x.shape
        qkv = self.attn["qkv"](x).reshape(n, length, 3, self.num_heads, width // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return self.attn["proj"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width))


class FinalLayer(nn.Module):
    """From tokens to the pixels of their patches."""

    def __init__(self, width: int, pixels: int):
        super().__init__()
        self.linear = nn.Linear(width, pixels)
        self.adaLN_modulation = modulation(width, 2)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation[1](condition)[:, None].chunk(2, dim=2)
        return self.linear(normalise(x, shift, scale))


def mlp(inputs: int, width: int, activation: nn.Module) -> nn.Sequential:
    """Two layers with an activation between them."""
    return nn.Sequential(nn.Linear(inputs, width), activation, nn.Linear(width, width))


def modulation(width: int, parts: int) -> nn.Sequential:
    """The layer that shifts, scales and gates come from. Its activation is applied once, to the condition."""
    return nn.Sequential(nn.Identity(), nn.Linear(width, parts * width))


def normalise(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer normalisation without weights of its own, scaled by 1 + scale and shifted."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def time_features(time: Tensor) -> Tensor:
    """cos and sin of the time at frequencies from 1 to nearly 1/10000, [N] → [N, 256].

    All is of the type of the time, float32 or float64.
    """
    half = FREQUENCIES // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=time.dtype, device=time.device) / half)
    angles = torch.outer(time, frequencies)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def sincos_table(width: int, side: int) -> Tensor:
    """Where a patch is, [side², width]: half of the features tell the column, half the row."""
    frequencies = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    one = torch.cat([angles.sin(), angles.cos()], dim=1).float()  # [side, width / 2]
    columns, rows = one.repeat(side, 1), one.repeat_interleave(side, 0)
    return torch.cat([columns, rows], dim=1)
