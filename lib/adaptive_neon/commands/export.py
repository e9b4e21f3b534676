"""Write a model in another form.

A `.pt` is a plain state dict, parameter name → tensor: NVlabs/edm's own network class loads it with
load_state_dict. A `.safetensors` is the form of this program, with the architecture in its metadata.

  adaptive-neon export C.safetensors -o C.pt
"""

import argparse
from pathlib import Path

from adaptive_neon.commands.options import add_model
from adaptive_neon.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "model", "the model")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write, .pt or .safetensors"
    )


def run(model: str, output: str) -> None:
    if Path(output).suffix not in (".pt", ".safetensors"):
        raise InputError(f"{output}: unknown form; give a name that ends in .pt or .safetensors")
    from adaptive_neon.families.checkpoints import read_model, write_checkpoint
    from adaptive_neon.families.networks.unet import arrays, load

    checkpoint = read_model(model)
    network = load(checkpoint.tensors, checkpoint.architecture)
    if Path(output).suffix == ".safetensors":
        write_checkpoint(output, arrays(network), checkpoint.architecture, **checkpoint.metadata)
        print(output)
        return
    import torch

    from adaptive_neon.jobs.files import replacing

    with replacing(output) as temporary:
        torch.save(network.state_dict(), temporary)
    arguments = ", ".join(f"{key}={value!r}" for key, value in checkpoint.architecture.items())
    print(f"{output}; with NVlabs/edm:")
    print(f"  network = training.networks.EDMPrecond({arguments.replace('=inf', '=math.inf')})")
    print(f"  network.load_state_dict(torch.load({output!r}))")
