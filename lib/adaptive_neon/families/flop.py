"""Floating-point operations of a network, counted without computing anything."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

BACKWARD = 3  # a training step costs the forward pass three times (Kaplan et al. 2020, arXiv 2001.08361, table 1)


def count_flop(evaluate: Callable[[], object]) -> float:
    """Floating-point operations of a call that builds and evaluates a network; a multiply-add is two."""
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        evaluate()
    return counter.get_total_flops()
