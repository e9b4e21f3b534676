"""Merge a base model and a tuned one: θ = θ_r − w·(θ_s − θ_r), with one w for each block.

θ_r is the base model, θ_s the same model after some training on its own images. w > 0 extrapolates away from θ_s
(Neon); w = 0 is θ_r, w = −1 is θ_s. Nothing is trained and no GPU is needed.

  adaptive-neon merge --base A.pkl --tuned B.pkl --weights enc=1.25,mid=1.0,dec=0.75 -o C.safetensors
  adaptive-neon merge --base A.pkl --tuned B.pkl --weights 0.75 -o C.safetensors
"""

import argparse

from adaptive_neon.commands.options import add_blocks, add_model, block_patterns, parse_weights
from adaptive_neon.commands.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "--base", "θ_r", required=True)
    add_model(parser, "--tuned", "θ_s", required=True)
    parser.add_argument(
        "--weights",
        required=True,
        metavar="W",
        help="one w for all blocks, or one per block: enc=1.25,mid=1.0,dec=0.75",
    )
    add_blocks(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the merged model, a .safetensors (see `export`)"
    )


def run(base: str, tuned: str, weights: str, blocks: list[str] | None, output: str) -> None:
    from adaptive_neon.families.checkpoints import read_model, require_finite, write_checkpoint
    from adaptive_neon.jobs.files import check_output
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.extrapolation import merge
    from adaptive_neon.merging.grid import point_name

    check_output(output, ".safetensors", reads=(base, tuned))
    theta_r = read_model(base)
    patterns = block_patterns(blocks, theta_r.architecture)
    point = parse_weights(weights, list(patterns))
    theta_s = read_model(tuned)
    block_of = assign_blocks(theta_r.weights, patterns)
    merged = merge(theta_r.tensors, theta_s.tensors, point, block_of)
    require_finite(output, merged, theta_r.weights)
    origin = {"weights": point_name(point)} | {
        name: model.metadata["sha256"] for name, model in (("base", theta_r), ("tuned", theta_s))
    }
    write_checkpoint(output, merged, theta_r.architecture, **origin)
    say(f"{output}: {', '.join(f'w_{block} = {w}' for block, w in point.items())}")
