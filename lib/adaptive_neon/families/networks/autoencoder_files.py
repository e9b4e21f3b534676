"""Published files of the KL autoencoder (see `autoencoder`) in the names of latent diffusion, without torch."""

import re

import numpy as np

from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.torch_files import plain_state_dict

PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")

# From the names of diffusers' AutoencoderKL, in this order. Those of the attention are older and newer ones.
DIFFUSERS = (
    (r"\.down_blocks\.(\d+)\.resnets\.", r".down.\1.block."),
    (r"\.down_blocks\.(\d+)\.downsamplers\.0\.", r".down.\1.downsample."),
    (r"\.up_blocks\.(\d+)\.resnets\.", r".up.\1.block."),
    (r"\.up_blocks\.(\d+)\.upsamplers\.0\.", r".up.\1.upsample."),
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."),
    (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.", ".mid.attn_1."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.conv_norm_out\.", ".norm_out."),
    (r"\.group_norm\.", ".norm."),
    (r"\.(to_q|query)\.", ".q."),
    (r"\.(to_k|key)\.", ".k."),
    (r"\.(to_v|value)\.", ".v."),
    (r"\.(to_out\.0|proj_attn)\.", ".proj_out."),
)


def autoencoder_tensors(content: object, size: int) -> dict[str, np.ndarray]:
    """The tensors of an autoencoder in the names of latent diffusion, as float32.

    Args:
        content: a file's state dict, alone or under `model` or `state_dict`, in the names of latent diffusion
            or of diffusers. What is neither encoder nor decoder, such as a discriminator, is left out.
        size: bytes of the file, which bounds what it can hold.

    Raises:
        RefusedError: there is no autoencoder.
    """
    places = [content, *(content.get(key) for key in ("model", "state_dict"))] if isinstance(content, dict) else []
    states = (plain_state_dict(place, size) or {} for place in places)
    state = next((state for state in states if "decoder.conv_out.weight" in state), None)
    if state is None:
        raise RefusedError("holds no KL autoencoder, which has a decoder.conv_out.weight")
    state = {name: array for name, array in state.items() if name.startswith(PARTS)}
    levels = len({name.split(".")[2] for name in state if name.startswith("decoder.up_blocks.")})
    return {_ldm_name(name, levels): _ldm_shape(name, array) for name, array in state.items()}


def _ldm_name(name: str, levels: int) -> str:
    """The name in latent diffusion; `levels` are those of a decoder in the names of diffusers, else 0."""
    for pattern, replacement in DIFFUSERS:
        name = re.sub(pattern, replacement, name)
    if levels:  # level 0 of diffusers' decoder is the lowest resolution, of latent diffusion's the full one
        name = re.sub(r"(?<=^decoder\.up\.)\d+", lambda level: str(levels - 1 - int(level[0])), name)
    return name


def _ldm_shape(name: str, array: np.ndarray) -> np.ndarray:
    """A 1×1 convolution in place of the linear layers of diffusers' attention."""
    return array[:, :, None, None] if name.endswith(".weight") and array.ndim == 2 else array
