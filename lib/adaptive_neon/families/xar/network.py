"""The transformer of xAR (Ren et al. 2025, arXiv 2502.20388), with its parameter names."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.networks.dit import FREQUENCIES, mlp, modulation, time_features

EPS = 1e-6
Cache = list[Tensor]  # of each block: keys and values of the cells drawn so far, [2, N, heads, tokens, head width]


class XAR(nn.Module):
    """The velocity v_θ of each cell at its own time, given the cells before it and the class.

    A grid of tokens, patches of an image or of its latents, is cut into `cells` × `cells` squares. The sequence
    has one cell after the other, each row by row, and a token sees its own cell and those before.

    Args:
        img_resolution: side of the square images in pixels.
        img_channels: their channels.
        label_dim: number of classes.
        patch_size: side of a token, in latents, or pixels where there is no codec.
        cells: of a side.
        hidden_size: width of a token, a multiple of 4·`num_heads`.
        encoder_depth: number of blocks of the first stack.
        decoder_depth: of the second. There is no other difference between encoder and decoder.
        num_heads: of the attention.
        mlp_ratio: 3/2 of the hidden width of the MLP, in units of `hidden_size`: an MLP of that ratio without
            gates has as many weights.
        scale: factor that gives latents, or pixels in [−1, 1], a standard deviation of about 1.
        codec: arguments of the autoencoder whose latents the network draws (see `networks.autoencoder`).
        dropout: of attention, of its output and in the MLP.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        patch_size: int = 1,
        cells: int = 2,
        hidden_size: int = 768,
        encoder_depth: int = 8,
        decoder_depth: int = 8,
        num_heads: int = 12,
        mlp_ratio: float = 4,
        scale: float = 1,
        codec: Mapping | None = None,
        dropout: float = 0,
    ):
        super().__init__()
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.label_dim = label_dim
        self.scale = scale
        factor = 2 ** (len(codec["ch_mult"]) - 1) if codec else 1
        channels = codec["z_channels"] if codec else img_channels
        for key, value, divisor in (
            ("img_resolution", img_resolution, factor * patch_size * cells),
            ("hidden_size", hidden_size, 4 * num_heads),
        ):
            if value % divisor:
                raise InputError(f"architecture.{key}: {value} is no multiple of {divisor}; choose one that is")
        side = img_resolution // (factor * patch_size)
        self.grid = Grid(cells, side // cells, patch_size, channels)

        self.class_emb = nn.Embedding(label_dim + 1, hidden_size)  # the last row stands for no class
        self.time_embed = nn.ModuleDict({"mlp": mlp(FREQUENCIES, hidden_size, nn.SiLU())})
        token = self.grid.shape[2]
        self.z_proj = nn.Linear(token, hidden_size)
        self.z_proj_ln = nn.RMSNorm(hidden_size, EPS)
        self.encoder_pos_embed_learned = nn.Parameter(torch.empty(1, side**2, hidden_size))
        self.decoder_pos_embed_learned = nn.Parameter(torch.empty(1, side**2, hidden_size))
        tables = rope_tables(hidden_size // num_heads, self.grid)
        self.encoder_blocks, self.decoder_blocks = (
            nn.ModuleList(Block(hidden_size, num_heads, mlp_ratio, dropout, tables) for _ in range(depth))
            for depth in (encoder_depth, decoder_depth)
        )
        self.encoder_norm = nn.RMSNorm(hidden_size, EPS)
        self.decoder_embed = nn.Linear(hidden_size, hidden_size)
        self.decoder_norm = nn.RMSNorm(hidden_size, EPS)
        self.pred = nn.Linear(hidden_size, token)
        self.register_buffer("mask", causal_mask(self.grid))
        self.initialise()

    def initialise(self) -> None:
        """As published: Xavier-uniform, and small embeddings."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        for table in (self.class_emb.weight, self.encoder_pos_embed_learned, self.decoder_pos_embed_learned):
            nn.init.normal_(table, std=0.02)

    def forward(
        self, cells: Tensor, time: Tensor, classes: Tensor, first: int = 0, cache: Cache | None = None
    ) -> Tensor:
        """The velocity of some cells in sequence.

        Args:
            cells: [N, n, tokens of a cell, width of a token], at their times.
            time: in [0, 1], [N or 1, n]; the network knows a thousand times.
            classes: int64 [N], `label_dim` for none.
            first: the place of the first of them in the sequence.
            cache: of `new_cache`, holds the cells before `first`, and will hold these; None if none are before.

        Returns:
            The shape of `cells`.
        """
        size = self.grid.side**2
        span = slice(first * size, (first + cells.shape[1]) * size)
        mask = self.mask[:, :, span, : span.stop] if cells.shape[1] > 1 else None
        condition = self.class_emb(classes)[:, None] + self.time_embed["mlp"](thousandths(time))
        condition = F.silu(condition)[:, :, None]

        x = self.z_proj_ln(self.z_proj(cells) + self.places(self.encoder_pos_embed_learned, span))
        for i, block in enumerate(self.encoder_blocks):
            x = block(x, condition, span, mask, cache and cache[i])
        x = self.decoder_embed(self.encoder_norm(x)) + self.places(self.decoder_pos_embed_learned, span)
        for i, block in enumerate(self.decoder_blocks, len(self.encoder_blocks)):
            x = block(x, condition, span, mask, cache and cache[i])
        return self.pred(self.decoder_norm(x))

    def places(self, table: Tensor, span: slice) -> Tensor:
        """The embeddings of the places of some cells."""
        return table[:, span].unflatten(1, (-1, self.grid.side**2))

    def new_cache(self, count: int, dtype: torch.dtype) -> Cache:
        """Room for the keys and values of `count` images."""
        attention = self.encoder_blocks[0].attn
        shape = (2, count, attention.num_heads, self.mask.shape[-1], attention.head_dim)
        depth = len(self.encoder_blocks) + len(self.decoder_blocks)
        return list(torch.empty(depth, *shape, dtype=dtype, device=self.mask.device))


class Block(nn.Module):
    """Attention and MLP, each after a normalisation that the condition shifts and scales, and behind its gate."""

    def __init__(self, width: int, num_heads: int, mlp_ratio: float, dropout: float, tables: Mapping[str, Tensor]):
        super().__init__()
        self.attn = Attention(width, num_heads, dropout, tables)
        self.mlp = GEGLU(width, int(width * mlp_ratio * 2 / 3), dropout)
        self.ada_lin = modulation(width, 6)

    def forward(
        self, x: Tensor, condition: Tensor, span: slice, mask: Tensor | None, cache: Tensor | None
    ) -> Tensor:
        """Tokens [N, n, T, D] of cells and their condition [N, n, 1, D] after its SiLU → [N, n, T, D]."""
        gate, gate_mlp, scale, scale_mlp, shift, shift_mlp = self.ada_lin[1](condition).chunk(6, dim=-1)
        x = x + gate * self.attn(normalise(x, scale, shift), span, mask, cache)
        return x + gate_mlp * self.mlp(normalise(x, scale_mlp, shift_mlp))


class Attention(nn.Module):
    """Self-attention with rotary embeddings of the row and the column of each token (Su et al. 2021)."""

    def __init__(self, width: int, num_heads: int, dropout: float, tables: Mapping[str, Tensor]):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = width // num_heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rope = nn.Module()  # each block has the tables, as in the published files
        for name, table in tables.items():
            self.rope.register_buffer(name, table)

    def forward(self, x: Tensor, span: slice, mask: Tensor | None, cache: Tensor | None) -> Tensor:
        """Tokens [N, n, T, D], at `span` of the sequence; see `XAR.forward`."""
        qkv = self.qkv(x).view(len(x), -1, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        v = qkv[2]
        q, k = rotate(qkv[:2], self.rope.freqs_cos[span], self.rope.freqs_sin[span]).to(v.dtype)
        if cache is not None:
            cache[0, : len(x), :, span] = k
            cache[1, : len(x), :, span] = v
            k, v = cache[:, : len(x), :, : span.stop]
        dropout = self.dropout if self.training else 0
        y = F.scaled_dot_product_attention(q, k, v, mask, dropout).transpose(1, 2).reshape(x.shape)
        return F.dropout(self.proj(y), dropout)


class GEGLU(nn.Module):
    """A layer with GELU(W x) as gates of V x, and one back (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.fc1_g = nn.Linear(width, hidden)
        self.fc1_x = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0
        hidden = F.dropout(F.gelu(self.fc1_g(x)) * self.fc1_x(x), dropout)
        return F.dropout(self.fc2(hidden), dropout)


class Grid(NamedTuple):
    """How an image, or its latents, is a sequence of cells.

    Attributes:
        cells: of a side.
        side: of a cell, in tokens.
        patch: side of a token.
        channels: of the image or its latents.
    """

    cells: int
    side: int
    patch: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells, tokens of a cell, width of a token."""
        return self.cells**2, self.side**2, self.channels * self.patch**2

    def split(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, *shape]."""
        axes = (-1, self.channels, *(self.cells, self.side, self.patch) * 2)
        return x.reshape(axes).permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(-1, *self.shape)

    def join(self, cells: Tensor) -> Tensor:
        """The inverse of `split`."""
        axes = (-1, self.cells, self.cells, self.side, self.side, self.channels, self.patch, self.patch)
        length = self.cells * self.side * self.patch
        return cells.reshape(axes).permute(0, 5, 1, 3, 6, 2, 4, 7).reshape(-1, self.channels, length, length)


def causal_mask(grid: Grid) -> Tensor:
    """What is added to the logits of attention, 0 within a cell and before it, −∞ after it, [1, 1, L, L]."""
    count, size, _ = grid.shape
    cell = torch.arange(count).repeat_interleave(size)
    return torch.zeros(len(cell), len(cell)).masked_fill(cell[:, None] < cell, -torch.inf)[None, None]


def rope_tables(width: int, grid: Grid) -> dict[str, Tensor]:
    """Of the tokens in sequence: half of the features turn with the row, half with the column, [L, width]."""
    freqs = 1 / 10000 ** (torch.arange(0, width // 2, 2).float() / (width // 2))
    length = grid.cells * grid.side
    places = torch.cartesian_prod(torch.arange(length), torch.arange(length)).float()  # [L, 2], row by row
    in_cells = Grid(grid.cells, grid.side, 1, 2).split(places.T.view(1, 2, length, length)).flatten(0, 2)
    angles = (in_cells[:, :, None] * freqs).flatten(1).repeat_interleave(2, 1)
    return {"freqs": freqs, "freqs_cos": angles.cos(), "freqs_sin": angles.sin()}


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of neighbouring features, [..., L, width], by its angle."""
    pairs = x.unflatten(-1, (-1, 2))
    turned = torch.stack((-pairs[..., 1], pairs[..., 0]), -1).flatten(-2)
    return x * cos + turned * sin


def normalise(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Root-mean-square normalisation without weights of its own, scaled by 1 + scale and shifted."""
    return F.rms_norm(x, x.shape[-1:], eps=EPS) * (1 + scale) + shift


def thousandths(time: Tensor) -> Tensor:
    """Features of times in [0, 1], [N, n] → [N, n, 256]; the network knows whole thousandths, rounded down."""
    return time_features((time.float() * 1000).long().flatten()).unflatten(0, time.shape)
