"""Where and in which type the networks run."""

import torch

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.gpus import take_gpu

# bfloat16 is the fastest type on tensor cores that FID does not notice; on CPUs float32 is the safe choice.
AUTO_PRECISION = {"cuda": torch.bfloat16, "cpu": torch.float32}


def pick_device(name: str) -> torch.device:
    """`cpu`, `cuda`, or `auto`: CUDA where there is a GPU. A GPU is this process's alone until it ends."""
    if name == "cpu":
        return torch.device("cpu")
    take_gpu()
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError(f"device {name}: torch finds no GPU; choose cpu or auto")
    return torch.device("cuda" if available else "cpu")


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """`float32`, `bfloat16`, `float16`, or `auto`: bfloat16 on a GPU, else float32."""
    return AUTO_PRECISION[device.type] if name == "auto" else getattr(torch, name)
