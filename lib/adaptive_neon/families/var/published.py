"""The files that FoundationVision/VAR publishes and writes, and those of Neon, which fine-tunes its models."""

import math
import re
from collections.abc import Mapping

import numpy as np

from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.torch_files import plain_state_dict

STRIDE = (
    16  # pixels a token of the convolutional tokenizer, at its last scale; it halves the resolution four times
)
CODEC = {"model_type": "VQVAE", "vocab_size": 4096, "z_channels": 32, "ch": 160}
PATCH_NUMS = {256: [1, 2, 3, 4, 5, 6, 8, 10, 13, 16], 512: [1, 2, 3, 4, 6, 9, 13, 18, 24, 32]}
DEPTHS = (16, 20, 24, 30, 36)


def preset(depth: int) -> dict:
    """The architecture of a published model for ImageNet: 64 features a block; d36 is for 512 pixels, not 256."""
    resolution = 512 if depth == 36 else 256
    return {
        "img_resolution": resolution,
        "img_channels": 3,
        "label_dim": 1000,
        "codec": dict(CODEC),
        "patch_nums": PATCH_NUMS[resolution],
        "depth": depth,
        "embed_dim": 64 * depth,
        "num_heads": depth,
        "mlp_ratio": 4,
        "shared_aln": depth == 36,
    }


def from_published(content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
    """See `protocol.Settings`: a transformer's state dict, alone, as `state_dict` or in the state of a training.

    Raises:
        RefusedError: it is none.
    """
    state = _find("pos_1LC", content, size, "", "state_dict", "trainer.var_wo_ddp")
    if state is None:
        raise RefusedError("holds no state dict of a VAR")
    try:
        shape = {name: array.shape for name, array in state.items()}
        (vocab_size, width), z_channels = shape["head.weight"], shape["word_embed.weight"][1]
        hidden = shape["blocks.0.ffn.fc1.weight"][0]
        _, counts = np.unique(state["lvl_1L"], return_counts=True)
        patch_nums = [math.isqrt(count) for count in counts.tolist()]
        return state, {
            "img_resolution": STRIDE * patch_nums[-1],
            "img_channels": 3,
            "label_dim": shape["class_emb.weight"][0] - 1,
            "codec": CODEC | {"vocab_size": vocab_size, "z_channels": z_channels},
            "patch_nums": patch_nums,
            "depth": len({match[1] for name in state if (match := re.match(r"blocks\.(\d+)\.", name))}),
            "embed_dim": width,
            "num_heads": shape["blocks.0.attn.scale_mul_1H11"][1],
            "mlp_ratio": hidden / width if hidden % width else hidden // width,
            "shared_aln": "shared_ada_lin.1.weight" in state,
        }
    except (KeyError, IndexError, ValueError, TypeError, ZeroDivisionError) as error:
        raise RefusedError(f"holds a state dict that is nearly a VAR's ({str(error)[:80]})") from error


def codec_from_published(content: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of the convolutional tokenizer, without its count of how often each code was hit.

    Raises:
        RefusedError: there is none.
    """
    places = "", "model", "state_dict", "trainer.vae_local"
    state = _find("quantize.quant_resi.qresi_ls.0.weight", content, size, *places)
    if state is None:
        raise RefusedError("holds no tokenizer of VAR, such as vae_ch160v4096z32.pth")
    return {name: array for name, array in state.items() if name != "quantize.ema_vocab_hit_SV"}


def _find(tensor: str, content: object, size: int, *places: str) -> dict[str, np.ndarray] | None:
    """The state dict with this tensor, at one of the places in the content: keys with points between them."""
    for place in places:
        found = content
        for key in filter(None, place.split(".")):
            found = found.get(key) if isinstance(found, Mapping) else None
        state = plain_state_dict(found, size)
        if state is not None and tensor in state:
            return state
    return None
