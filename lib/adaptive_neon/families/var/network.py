"""The transformer of VAR (Tian et al. 2024, arXiv 2404.02905), with its published parameter names."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.networks.dit import modulation, normalise
from adaptive_neon.families.var.settings import codec_stride, z_channels

HIGHEST_SCALE = math.log(100)  # of an attention's logarithmic scale


class VAR(nn.Module):
    """Logits of the tokens of all scales from those of the scales before, for a class.

    Args:
        img_resolution: side of the square images in pixels.
        img_channels: their channels.
        label_dim: number of classes.
        codec: of the tokens: `vocab_size`, and what says the length of a code vector.
        patch_nums: sides of the token maps, p_1 < … < p_S.
        depth: number of blocks.
        embed_dim: width of a token, a multiple of `num_heads`.
        num_heads: of the attention.
        mlp_ratio: width of the hidden layer of the MLP, in units of `embed_dim`.
        shared_aln: one modulation layer for all blocks, each adding a table, in place of a layer a block.
        drop_path: share of the images that skip the last block in training, rising linearly from 0 at the first.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int,
        codec: Mapping,
        patch_nums: Sequence[int],
        depth: int,
        embed_dim: int,
        num_heads: int,
        mlp_ratio: float = 4,
        shared_aln: bool = False,
        drop_path: float = 0,
    ):
        super().__init__()
        side = codec_stride(codec) * patch_nums[-1]
        if side != img_resolution:
            raise InputError(
                f"architecture.patch_nums: its last makes images of {side}, not {img_resolution} pixels"
            )
        if embed_dim % num_heads:
            raise InputError(f"architecture.embed_dim: {embed_dim} is no multiple of {num_heads} heads")
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.label_dim = label_dim
        self.patch_nums = tuple(patch_nums)
        sizes = [side**2 for side in patch_nums]

        self.word_embed = nn.Linear(z_channels(codec, img_channels), embed_dim)
        self.class_emb = nn.Embedding(label_dim + 1, embed_dim)  # the last row stands for no class
        self.pos_start = nn.Parameter(torch.empty(1, sizes[0], embed_dim))
        self.pos_1LC = nn.Parameter(torch.empty(1, sum(sizes), embed_dim))
        self.lvl_embed = nn.Embedding(len(sizes), embed_dim)
        if shared_aln:
            self.shared_ada_lin = modulation(embed_dim, 6)
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, mlp_ratio, shared_aln, rate)
            for rate in torch.linspace(0, drop_path, depth, device="cpu").tolist()
        )
        level = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes), output_size=sum(sizes))
        self.register_buffer("lvl_1L", level[None])
        blocked = level[:, None] < level
        self.register_buffer(
            "attn_bias_for_masking", torch.zeros(1, 1, *blocked.shape).masked_fill(blocked, -torch.inf)
        )
        self.head_nm = nn.ModuleDict({"ada_lin": modulation(embed_dim, 2)})
        self.head = nn.Linear(embed_dim, codec["vocab_size"])
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """As in VAR: normal of variance 1/(3·width), small where a block or the head adds to the stream."""
        width = self.pos_start.shape[-1]
        std = (3 * width) ** -0.5
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Embedding):
                nn.init.normal_(layer.weight, std=std)
            if isinstance(layer, nn.Linear) and layer.bias is not None:
                nn.init.zeros_(layer.bias)
        for table in (self.pos_start, self.pos_1LC):
            nn.init.normal_(table, std=std)
        self.head.weight *= 0.02
        self.head_nm["ada_lin"][1].weight *= 0.5
        for block in self.blocks:
            for layer in (block.attn.proj, block.ffn["fc2"]):
                layer.weight /= (2 * len(self.blocks)) ** 0.5
            gates_and_rest = block.ada_gss[0, 0] if block.shared_aln else block.ada_lin[1].weight.view(6, -1)
            gates_and_rest[:2] *= 1e-5
            gates_and_rest[2:] *= 0.5

    def forward(self, classes: Tensor, inputs: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Logits of all tokens at once, with teacher forcing.

        Args:
            classes: int64 [N]; `label_dim` means no class.
            inputs: the sum of the scales before, resampled to each scale but the first, [N, L − p_1², C].
            dtype: the type of matrix products; embeddings and the residual stream stay in float32.

        Returns:
            float32 [N, L, V].
        """
        condition = self.class_emb(classes)
        places = torch.cat([self.places(stage) for stage in range(len(self.patch_nums))], 1)
        x = torch.cat([condition[:, None] + self.pos_start, self.word_embed(inputs)], 1) + places
        return self._transform(x, condition, dtype, self.attn_bias_for_masking)

    def stage_logits(
        self, stage: int, classes: Tensor, inputs: Tensor | None, caches: "Sequence[Cache]", dtype: torch.dtype
    ) -> Tensor:
        """Logits of the tokens of one scale, the scales before being in the caches.

        Args:
            stage: index of the scale.
            classes: int64 [M], M a multiple of N: the same images for several classes.
            inputs: as in `forward`, of this scale alone, [N, p², C]; None at the first.
            caches: one a block (see `Cache`).

        Returns:
            float32 [M, p², V].
        """
        condition = self.class_emb(classes)
        if inputs is None:
            x = condition[:, None] + self.pos_start + self.places(stage)
        else:
            x = (self.word_embed(inputs) + self.places(stage)).repeat(len(classes) // len(inputs), 1, 1)
        return self._transform(x, condition, dtype, caches=caches)

    def places(self, stage: int) -> Tensor:
        """What tells the tokens of a scale the scale and their place, [1, p², embed_dim]."""
        start = sum(side**2 for side in self.patch_nums[:stage])
        return self.lvl_embed.weight[stage] + self.pos_1LC[:, start : start + self.patch_nums[stage] ** 2]

    def _transform(
        self,
        x: Tensor,
        condition: Tensor,
        dtype: torch.dtype,
        mask: Tensor | None = None,
        caches: "Sequence[Cache] | None" = None,
    ) -> Tensor:
        with autocast(x.device, dtype):
            condition = F.silu(condition)
            shared = self.shared_ada_lin[1](condition) if hasattr(self, "shared_ada_lin") else None
            for i, block in enumerate(self.blocks):
                x = block(x, condition if shared is None else shared, mask, caches and caches[i])
            scale, shift = self.head_nm["ada_lin"][1](condition)[:, None].chunk(2, dim=2)
            return self.head(normalise(x, shift, scale)).float()


class Cache:
    """Keys and values of one block, of the tokens of the scales so far.

    Args:
        length: number of tokens of all scales.
    """

    def __init__(self, length: int):
        self.length, self.filled, self.kept = length, 0, None

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [N, heads, l, width] of further tokens go in, those of all so far come out."""
        if self.kept is None:
            self.kept = [part.new_empty(*part.shape[:2], self.length, part.shape[3]) for part in (k, v)]
        start, self.filled = self.filled, self.filled + k.shape[2]
        for whole, part in zip(self.kept, (k, v), strict=True):
            whole[:, :, start : self.filled] = part
        return self.kept[0][:, :, : self.filled], self.kept[1][:, :, : self.filled]


class Block(nn.Module):
    """Attention and MLP, each after a normalisation that the class scales and shifts, and behind its gate."""

    def __init__(self, width: int, num_heads: int, mlp_ratio: float, shared_aln: bool, drop_path: float):
        super().__init__()
        self.shared_aln = shared_aln
        self.drop_path = drop_path
        self.attn = Attention(width, num_heads)
        hidden = round(mlp_ratio * width)
        self.ffn = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        if shared_aln:
            self.ada_gss = nn.Parameter(torch.randn(1, 1, 6, width) / width**0.5)
        else:
            self.ada_lin = modulation(width, 6)

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        """Tokens [N, l, D]; the condition after its SiLU [N, D], or the shared modulation [N, 6·D] → [N, l, D]."""
        if self.shared_aln:
            parts = (condition.view(-1, 1, 6, x.shape[2]) + self.ada_gss).unbind(2)
        else:
            parts = self.ada_lin[1](condition)[:, None].chunk(6, dim=2)
        gate, gate_ffn, scale, scale_ffn, shift, shift_ffn = parts
        x = x + self._dropped(gate * self.attn(normalise(x, shift, scale), mask, cache))
        hidden = F.gelu(self.ffn["fc1"](normalise(x, shift_ffn, scale_ffn)), approximate="tanh")
        return x + self._dropped(gate_ffn * self.ffn["fc2"](hidden))

    def _dropped(self, change: Tensor) -> Tensor:
        """Stochastic depth (Huang et al. 2016, arXiv 1603.09382): an image keeps all of the change or nothing."""
        if not self.training or not self.drop_path:
            return change
        keep = 1 - self.drop_path
        return change * (change.new_empty(len(change), 1, 1).bernoulli_(keep) / keep)


class Attention(nn.Module):
    """Attention whose queries and keys have length 1; a learned scale a head takes the place of 1/√d."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.scale_mul_1H11 = nn.Parameter(torch.full((1, num_heads, 1, 1), 4.0).log())
        self.mat_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("zero_k_bias", torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        n, length, width = x.shape
        bias = torch.cat([self.q_bias, self.zero_k_bias, self.v_bias])
        qkv = F.linear(x, self.mat_qkv.weight, bias).view(n, length, 3, self.num_heads, width // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q = (F.normalize(q, dim=-1) * self.scale_mul_1H11.clamp_max(HIGHEST_SCALE).exp()).to(v.dtype)
        k = F.normalize(k, dim=-1).to(v.dtype)
        if cache:
            k, v = cache.extend(k, v)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1)
        return self.proj(attended.transpose(1, 2).reshape(n, length, width))


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """In which matrix products are computed in a narrower type; nothing for float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
