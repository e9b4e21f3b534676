"""Where and in which type the networks run."""

import torch

from adaptive_neon.errors import InputError

# bfloat16 is the fastest type on tensor cores that FID does not notice; on CPUs float32 is the safe choice.
AUTO_PRECISION = {"cuda": torch.bfloat16, "cpu": torch.float32}


def pick_device(name: str) -> torch.device:
    """`cpu`, `cuda`, `cuda:1`, or `auto`: CUDA where there is a GPU."""
    available = torch.cuda.is_available()
    if name.startswith("cuda") and not available:
        raise InputError(f"device {name}: torch finds no GPU; choose cpu or auto")
    return torch.device(name if name != "auto" else "cuda" if available else "cpu")


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """`float32`, `bfloat16`, `float16`, or `auto`: bfloat16 on a GPU, else float32."""
    return AUTO_PRECISION[device.type] if name == "auto" else getattr(torch, name)
