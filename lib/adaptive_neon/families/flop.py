"""Floating-point operations of a network, counted without computing anything."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

BACKWARD = 3  # a training step costs the forward pass three times (Kaplan et al. 2020, arXiv 2001.08361, table 1)
DESCENT = BACKWARD + 1  # a network through which a gradient goes back is evaluated again on the way


def count_flop(compute: Callable[[], object]) -> float:
    """Of all that is computed, on tensors without content; a multiply-add is two."""
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops()


def network_flop(build: Callable[[], nn.Module]) -> float:
    """Of one evaluation on one image of a network (x, noise level or time, classes)."""

    def evaluate():
        network = build().eval()
        labels = torch.zeros(1, network.label_dim) if network.label_dim else None
        network(
            torch.zeros(1, network.img_channels, *[network.img_resolution] * 2), torch.ones(1, 1, 1, 1), labels
        )

    return count_flop(evaluate)
