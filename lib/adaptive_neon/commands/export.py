"""Write a model in another form.

A `.pt` is a plain state dict, parameter name → tensor, for the code base that the model's family comes from;
`export` prints how to load it there. A `.safetensors` is the form of this program, with the architecture in its
metadata.

  adaptive-neon export C.safetensors -o C.pt
"""

import argparse
from pathlib import Path

from adaptive_neon.commands.options import add_model
from adaptive_neon.commands.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "model", "the model")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write, .pt or .safetensors"
    )


def run(model: str, output: str) -> None:
    from adaptive_neon.jobs.files import check_output

    check_output(output, ".pt", ".safetensors", reads=[model])
    from adaptive_neon.families import settings_of
    from adaptive_neon.families.checkpoints import read_model, write_checkpoint
    from adaptive_neon.families.loading import arrays, load, write_state_dict

    checkpoint = read_model(model)
    network = load(checkpoint)
    if Path(output).suffix == ".safetensors":
        write_checkpoint(output, arrays(network), checkpoint.architecture, **checkpoint.metadata)
        say(output)
        return
    write_state_dict(output, network)
    say(output)
    for line in settings_of(checkpoint.architecture).upstream_usage(checkpoint.architecture, output).splitlines():
        say(line)
