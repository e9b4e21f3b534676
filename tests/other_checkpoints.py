"""Tiny checkpoints in the forms of other programs."""

import json

import torch
from safetensors.torch import save_file

SHAPES = {
    "conv_in.weight": (4, 1, 3, 3),
    "conv_in.bias": (4,),
    "time_embedding.linear_1.weight": (6, 4),
    "down_blocks.0.resnets.0.conv1.weight": (4, 4, 3, 3),
    "mid_block.resnets.0.conv1.weight": (4, 4, 3, 3),
    "up_blocks.0.resnets.0.conv1.weight": (5, 4, 3, 3),
    "conv_out.weight": (1, 5, 3, 3),
}


def state(seed, dtype=torch.float32):
    """The tensors of a U-Net in diffusers' names."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in SHAPES.items()}


def extrapolated(theta_r, theta_s, w):
    """The formula, in float64."""
    a, b = theta_r.double(), theta_s.double()
    return ((1 + w) * a - w * b).to(theta_r.dtype)


def write_shards(folder, tensors, stem="diffusion_pytorch_model", count=2):
    """Shards with their index, as `save_pretrained` writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(tensors)
    weight_map = {}
    for i in range(count):
        file = f"{stem}-{i + 1:05d}-of-{count:05d}.safetensors"
        part = {name: tensors[name] for name in names[i::count]}
        save_file(part, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    index = folder / f"{stem}.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weight_map}))
    return index


def write_pipeline(folder, unet, vae=None):
    """A folder of diffusers: a U-Net, an autoencoder, a scheduler."""
    for name, tensors in (("unet", unet), ("vae", vae or {"decoder.weight": torch.ones(3)})):
        (folder / name).mkdir(parents=True)
        save_file(tensors, folder / name / "diffusion_pytorch_model.safetensors", {"format": "pt"})
        (folder / name / "config.json").write_text('{"_class_name": "Any"}')
    (folder / "scheduler").mkdir()
    (folder / "scheduler/scheduler_config.json").write_text("{}")
    (folder / "model_index.json").write_text('{"_class_name": "Any"}')
