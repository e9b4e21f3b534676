"""The files that OliverRen/xAR publishes, and those of Neon, which fine-tunes its models."""

import re

import numpy as np

from adaptive_neon.families.networks.settings import KL_16
from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.torch_files import plain_state_dict

# Of every published model: 256 pixels, of which KL-16 makes 16 × 16 tokens of 16 numbers.
IMAGENET_256 = {
    "img_resolution": 256,
    "img_channels": 3,
    "label_dim": 1000,
    "patch_size": 1,
    "cells": 2,
    "mlp_ratio": 4,
    "scale": 0.2325,
    "codec": KL_16,
}
TOKENS = (256, 16)
SIZES = {
    "base": {"hidden_size": 768, "encoder_depth": 8, "decoder_depth": 8, "num_heads": 12},
    "large": {"hidden_size": 1024, "encoder_depth": 16, "decoder_depth": 16, "num_heads": 16},
    "huge": {"hidden_size": 1280, "encoder_depth": 20, "decoder_depth": 20, "num_heads": 16},
}


def from_published(content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
    """See `protocol.Settings`: a state dict, alone, or under `model_ema` or `state_dict`."""
    nested = [content.get(key) for key in ("model_ema", "state_dict")] if isinstance(content, dict) else []
    states = (plain_state_dict(place, size) or {} for place in (*nested, content))
    state = next((state for state in states if "z_proj_ln.weight" in state), None)
    if state is None:
        raise RefusedError("holds no state dict of an xAR, which has a z_proj_ln.weight")
    try:
        width, token = state["z_proj.weight"].shape
        tokens = state["encoder_pos_embed_learned"].shape[1]
        if (tokens, token) != TOKENS:
            raise RefusedError(f"holds an xAR for {tokens} tokens of {token} numbers, not of 256 of 16, KL-16's")
        return state, IMAGENET_256 | {
            "label_dim": len(state["class_emb.weight"]) - 1,
            "hidden_size": width,
            "encoder_depth": _depth(state, "encoder"),
            "decoder_depth": _depth(state, "decoder"),
            "num_heads": width // state["encoder_blocks.0.attn.rope.freqs_cos"].shape[1],
        }
    except (KeyError, IndexError, ValueError, TypeError, ZeroDivisionError) as error:
        raise RefusedError(f"holds a state dict that is nearly an xAR's ({str(error)[:80]})") from error


def _depth(state: dict[str, np.ndarray], stack: str) -> int:
    return len({match[1] for name in state if (match := re.match(rf"{stack}_blocks\.(\d+)\.", name))})


def published_size(checkpoint: str) -> str | None:
    """`base`, `large` or `huge`, as in the names xAR-B.pth and Neon_xARL_imagenet256.pth; None for other names."""
    match = re.search(r"xar[-_]?([blh])", checkpoint.lower())
    return match and next(size for size in SIZES if size[0] == match[1])
