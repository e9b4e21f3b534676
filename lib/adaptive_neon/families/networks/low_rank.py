"""Fine-tuning by LoRA: of some matrices W only a product of rank r is trained, W + B·A.

As by Hu et al. 2021 (arXiv 2106.09685). B starts at 0 and α is r, so that training starts at W, and what it adds
is B·A itself.
"""

import copy
import math
import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError


class LowRank(nn.Linear):
    """A linear layer, frozen, with its product: A, `down` [r, n], and B, `up` [m, r]."""

    down: nn.Parameter
    up: nn.Parameter

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + F.linear(F.linear(x, self.down), self.up)


def adapt(network: nn.Module, layers: str, rank: int) -> None:
    """Turn the linear layers of these names into `LowRank`, whose factors alone ask for gradients.

    Args:
        layers: a regular expression that the name of a layer matches in full.

    Raises:
        InputError: there are none, or the rank leaves nothing to save.
    """
    chosen = {name: layer for name, layer in network.named_modules() if re.fullmatch(layers, name)}
    if not chosen:
        raise InputError(
            "finetune.lora_rank: the network has no attention whose matrices a LoRA adapts; set it to null"
        )
    network.requires_grad_(False)
    for name, layer in chosen.items():
        smaller = min(layer.in_features, layer.out_features)
        if rank >= smaller:
            raise InputError(
                f"finetune.lora_rank: {rank}, but {name} has rank {smaller}; use less, or null for all"
            )
        layer.__class__ = LowRank
        like = {"device": layer.weight.device, "dtype": layer.weight.dtype}
        layer.down = nn.Parameter(torch.empty(rank, layer.in_features, **like))
        layer.up = nn.Parameter(torch.zeros(layer.out_features, rank, **like))
        nn.init.kaiming_uniform_(layer.down, a=math.sqrt(5))  # as the paper's code


def merged(network: nn.Module) -> nn.Module:
    """The same network without `LowRank` layers, their products added to their weights; itself if it has none."""
    if not any(isinstance(layer, LowRank) for layer in network.modules()):
        return network
    network = copy.deepcopy(network)
    for layer in network.modules():
        if isinstance(layer, LowRank):
            with torch.no_grad():
                layer.weight += layer.up @ layer.down
            del layer.down, layer.up
            layer.__class__ = nn.Linear
    return network
