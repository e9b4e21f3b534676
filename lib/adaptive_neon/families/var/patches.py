"""A tokenizer without a network for small images: patches of pixels, and a codebook found by k-means."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.families.var.quantizer import Quantizer

ROUNDS = 4  # of k-means, each on the residuals that the codebook of the round before leaves


class Patches(nn.Module):
    """f holds the pixels of each patch; multi-scale quantisation of f is all that is lost.

    Args:
        img_channels: of the images.
        patch_nums: sides of the token maps, p_1 … p_S.
        vocab_size: entries of the codebook.
        patch_size: side of a patch in pixels.
    """

    def __init__(self, img_channels: int, patch_nums: Sequence[int], vocab_size: int, patch_size: int):
        super().__init__()
        self.patch_size = patch_size
        self.quantize = Quantizer(
            patch_nums, vocab_size, img_channels * patch_size**2, residual_convolutions=False
        )

    def encode(self, images: Tensor) -> Tensor:
        """Images in [−1, 1], [N, C, H, W], as features [N, C·patch_size², p_S, p_S]."""
        return F.pixel_unshuffle(images, self.patch_size)

    def decode(self, f_hat: Tensor) -> Tensor:
        """Features as images in [−1, 1]."""
        return F.pixel_shuffle(f_hat, self.patch_size).clamp(-1, 1)

    @torch.no_grad()
    def fit(self, images: Tensor, seed: int) -> None:
        """Find the codebook: k-means on the residuals of all scales together.

        Residuals depend on the tokens of the scales before, so it takes rounds. The first has no codebook yet, and
        what is left at a scale stands for its tokens. On one thread, so that sums round alike each time.
        """
        from sklearn.cluster import KMeans  # half a second, which drawing need not take
        from threadpoolctl import threadpool_limits

        f = self.encode(images)
        for round_ in range(ROUNDS):
            vectors = self._residuals(f, quantised=round_ > 0).double().numpy()
            codes = self.quantize.embedding.weight
            start = codes.double().numpy() if round_ else "k-means++"
            with threadpool_limits(1):
                found = KMeans(len(codes), init=start, n_init=1, random_state=seed).fit(vectors)
            codes.copy_(torch.from_numpy(found.cluster_centers_.astype(np.float32)))

    def _residuals(self, f: Tensor, quantised: bool) -> Tensor:
        """The vectors that are looked up in the codebook, of all scales and images, [N·L, C]."""
        f_hat = torch.zeros_like(f)
        vectors = []
        for stage in range(len(self.quantize.patch_nums)):
            found = self.quantize.residual(stage, f - f_hat)
            vectors.append(found.flatten(0, 1))
            if quantised:
                f_hat = self.quantize.add(stage, f_hat, self.quantize.nearest(found))
            else:
                f_hat = f_hat + self.quantize.at_full_size(stage, found)
        return torch.cat(vectors)
