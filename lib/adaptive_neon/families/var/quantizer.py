"""Multi-scale residual quantisation (Tian et al. 2024, arXiv 2404.02905, algorithms 1 and 2)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

TICKS = np.linspace(1 / 12, 11 / 12, 4).tolist()  # of the depth of the pyramid, where each φ stands


class Quantizer(nn.Module):
    """A feature map f [N, C, P, P] as a sum of token maps of sides p_1 < … < p_S = P, all of one codebook.

    Args:
        patch_nums: p_1 … p_S.
        vocab_size: V, entries of the codebook.
        z_channels: C.
        residual_convolutions: whether a map, brought to full size, goes through φ(h) = (h + conv(h)) / 2, of which
            there are four; each scale uses the nearest.
    """

    def __init__(self, patch_nums: Sequence[int], vocab_size: int, z_channels: int, residual_convolutions: bool):
        super().__init__()
        self.patch_nums = tuple(patch_nums)
        self.embedding = nn.Embedding(vocab_size, z_channels)
        convolutions = [nn.Conv2d(z_channels, z_channels, 3, padding=1) for _ in TICKS * residual_convolutions]
        self.quant_resi = nn.ModuleDict({"qresi_ls": nn.ModuleList(convolutions)})

    def tokenise(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens of all scales, and what predicts them.

        Returns:
            tokens int64 [N, L], L = Σ p²; and f̂, the sum so far, resampled to each next scale, [N, L − p_1², C],
            which is the transformer's input with teacher forcing.
        """
        f_hat = torch.zeros_like(f)
        tokens, inputs = [], []
        for stage in range(len(self.patch_nums)):
            tokens.append(self.nearest(self.residual(stage, f - f_hat)))
            f_hat = self.add(stage, f_hat, tokens[-1])
            inputs.append(self.next_input(stage, f_hat))
        return torch.cat(tokens, 1), torch.cat(inputs[:-1], 1)

    def residual(self, stage: int, rest: Tensor) -> Tensor:
        """What is left of f, at the resolution of a scale: [N, C, P, P] → [N, p², C]."""
        return as_tokens(self._resize(rest, stage))

    def nearest(self, vectors: Tensor) -> Tensor:
        """The closest entries of the codebook: [N, l, C] → int64 [N, l]."""
        codes = self.embedding.weight
        # ‖z − e‖² without ‖z‖², which is the same for all entries
        return (
            torch.addmm(codes.square().sum(1), vectors.flatten(0, 1), codes.T, alpha=-2)
            .argmin(1)
            .view(vectors.shape[:2])
        )

    def add(self, stage: int, f_hat: Tensor, tokens: Tensor) -> Tensor:
        """f̂ with the token map int64 [N, p²] of a scale added."""
        return f_hat + self.at_full_size(stage, self.embedding(tokens))

    def at_full_size(self, stage: int, vectors: Tensor) -> Tensor:
        """What the vectors of a scale [N, p², C] add to f̂ [N, C, P, P]: bicubic interpolation, then φ."""
        side = self.patch_nums[stage]
        h = vectors.transpose(1, 2).unflatten(2, (side, side))
        if stage < len(self.patch_nums) - 1:
            h = F.interpolate(h, size=(self.patch_nums[-1],) * 2, mode="bicubic")
        if convolutions := self.quant_resi["qresi_ls"]:
            depth = stage / (len(self.patch_nums) - 1)
            h = (h + min(zip(TICKS, convolutions, strict=True), key=lambda at: abs(at[0] - depth))[1](h)) / 2
        return h

    def next_input(self, stage: int, f_hat: Tensor) -> Tensor:
        """f̂ at the resolution of the scale after `stage`, [N, p², C]; after the last, f̂ itself."""
        return as_tokens(self._resize(f_hat, stage + 1))

    def _resize(self, f: Tensor, stage: int) -> Tensor:
        if stage >= len(self.patch_nums) - 1:
            return f
        return F.interpolate(f, size=(self.patch_nums[stage],) * 2, mode="area")


def as_tokens(f: Tensor) -> Tensor:
    """[N, C, p, p] → [N, p², C], row by row."""
    return f.flatten(2).transpose(1, 2)
