"""The networks in the files that Luma publishes, and that Neon's code writes: pickles, or state dicts.

A pickle may hold its arguments as objects of a configuration library, so the network's are told from the names and
shapes of its tensors, and only what they cannot tell from the attributes of its modules.
"""

import math
import re
from collections.abc import Mapping

import numpy as np

from adaptive_neon.families.edm.published import ema_network
from adaptive_neon.families.networks.settings import SD_F8
from adaptive_neon.families.pickles import Module, RefusedError, plain, state_dict
from adaptive_neon.families.torch_files import plain_state_dict

LUMA_CODEC = SD_F8 | {
    "mean": [0.86488, -0.27787343, 0.21616915, 0.3738409],
    "std": [4.85503674, 5.31922414, 3.93725398, 3.9870003],
}
IMAGENET_256 = {
    "img_resolution": 256,
    "img_channels": 3,
    "label_dim": 1000,
    "model_type": "DiT",
    "f_type": "euler_fm",
    "temb_type": "stride",
    "codec": LUMA_CODEC,
}
CIFAR_10 = {
    "img_resolution": 32,
    "img_channels": 3,
    "label_dim": 0,
    "model_type": "SongUNet",
    "channel_mult": [2, 2, 2],
    "eps": 0.006,
    "f_type": "simple_edm",
    "temb_type": "identity",
}

UNDER = ("ema", "model_ema", "state_dict", "model")  # where a checkpoint keeps its state dict
ATTRIBUTES = ("sigma_data", "T", "eps", "f_type", "temb_type")
FIXED = {"noise_schedule": "fm", "time_scale": 1000}
HEADS = {1152: 16, 1024: 16, 768: 12, 384: 6}  # of the published DiTs, by their width

Tensors = Mapping[str, np.ndarray]


def from_published(content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
    """See `protocol.Settings`. A state dict is taken to be of Luma's settings on ImageNet-256, or on CIFAR-10."""
    if isinstance(content, dict) and type(content.get("ema")) is Module:
        network = ema_network(content, "IMMPrecond")
        tensors, attributes = state_dict(network, size), network.state
    else:
        tensors, attributes = _state_dict(content, size), {}
    for name, value in FIXED.items():
        if attributes.get(name, value) != value:
            raise RefusedError(f"has another {name} than {value}, which is not supported")
    if "model.x_embedder.proj.weight" in tensors:
        heads = _heads(attributes) if attributes else None
        architecture = IMAGENET_256 | _dit(tensors, heads)
    elif "model.map_layer0_s.weight" in tensors:
        architecture = CIFAR_10 | _unet(tensors)
    else:
        raise RefusedError("holds neither a DiT nor a DDPM++ with a second embedding of time")
    return tensors, architecture | {key: plain(key, attributes[key]) for key in ATTRIBUTES if key in attributes}


def _state_dict(content: object, size: int) -> dict[str, np.ndarray]:
    parts = [content.get(key) for key in UNDER] if isinstance(content, dict) else []
    for part in (content, *parts):
        if (tensors := plain_state_dict(part, size)) is not None:
            return tensors
    raise RefusedError('holds no state dict, and no IMMPrecond under the key "ema"')


def _heads(attributes: Mapping) -> int:
    """Of the attention in the first block."""
    module = attributes
    for name in ("model", "blocks", "0", "attn"):
        module = module["_modules"][name].state
    return plain("num_heads", module["num_heads"])


def _dit(tensors: Tensors, heads: int | None) -> dict:
    width, channels, patch, _ = tensors["model.x_embedder.proj.weight"].shape
    if heads is None and width not in HEADS:
        raise RefusedError(f"holds a DiT of width {width}, whose number of heads no published one tells")
    side = math.isqrt(tensors["model.pos_embed"].shape[1]) * patch
    is_latent = channels == LUMA_CODEC["z_channels"]
    return {
        "img_resolution": side << len(LUMA_CODEC["ch_mult"]) - 1 if is_latent else side,
        "img_channels": LUMA_CODEC["img_channels"] if is_latent else channels,
        "label_dim": len(tensors["model.y_embedder.embedding_table.weight"]) - 1,
        "patch_size": patch,
        "hidden_size": width,
        "depth": len(_indices(tensors, r"model\.blocks\.(\d+)\.")),
        "num_heads": heads or HEADS[width],
        "mlp_ratio": len(tensors["model.blocks.0.mlp.fc1.weight"]) / width,
        "codec": LUMA_CODEC if is_latent else None,
    }


def _unet(tensors: Tensors) -> dict:
    sides = _indices(tensors, r"model\.enc\.(\d+)x\1_block0\.")[::-1]
    channels, images, _, _ = tensors[f"model.enc.{sides[0]}x{sides[0]}_conv.weight"].shape
    emb, noise = tensors["model.map_layer0.weight"].shape
    filters = [array for name, array in tensors.items() if name.endswith("resample_filter")]
    taps = filters[0][0, 0].sum(0) if filters else np.ones(2)
    return {
        "img_resolution": sides[0],
        "img_channels": images,
        "label_dim": tensors["model.map_label.weight"].shape[1] if "model.map_label.weight" in tensors else 0,
        "model_channels": channels,
        "channel_mult": [len(tensors[f"model.enc.{i}x{i}_block0.conv1.weight"]) // channels for i in sides],
        "channel_mult_emb": emb // channels,
        "channel_mult_noise": noise // channels,
        "num_blocks": len(_indices(tensors, rf"model\.enc\.{sides[0]}x{sides[0]}_block(\d+)\.")),
        "attn_resolutions": [i for i in sides if f"model.enc.{i}x{i}_block0.qkv.weight" in tensors],
        "encoder_type": "residual" if any("aux_residual" in name for name in tensors) else "standard",
        "resample_filter": np.rint(taps / taps.min()).astype(int).tolist(),
    }


def _indices(tensors: Tensors, pattern: str) -> list[int]:
    """The numbers that the pattern finds in the names, rising."""
    return sorted({int(match[1]) for match in map(re.compile(pattern).match, tensors) if match})
