"""Published files of the KL autoencoder (see `autoencoder`) in the names of latent diffusion, without torch."""

import re
from collections.abc import Mapping

import numpy as np

from adaptive_neon.errors import InputError

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


def autoencoder_tensors(content: Mapping) -> dict[str, np.ndarray]:
    """The tensors of an autoencoder in the names of latent diffusion.

    Args:
        content: a file's state dict, alone or under `model` or `state_dict`, in the names of latent diffusion
            or of diffusers. What is neither encoder nor decoder, such as a discriminator, is left out.

    Raises:
        InputError: no autoencoder.
    """
    state = next(
        (content[key] for key in ("model", "state_dict") if isinstance(content.get(key), Mapping)), content
    )
    state = {
        name: np.asarray(array)
        for name, array in state.items()
        if isinstance(name, str) and name.startswith(PARTS) and isinstance(array, np.ndarray)
    }
    if "decoder.conv_out.weight" not in state:
        raise InputError("the codec's file holds no decoder.conv_out.weight; give that of a KL autoencoder")
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
