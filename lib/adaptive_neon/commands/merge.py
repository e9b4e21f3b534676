"""Merge a base model and a tuned one: θ = θ_r − w·(θ_s − θ_r), with one w for each block.

θ_r is the base model, θ_s the same model after some training on its own images, or a LoRA trained on them. w > 0
extrapolates away from θ_s (Neon); w = 0 is θ_r, w = −1 is θ_s. Nothing is trained and no GPU is needed. Models of
other programs are merged a piece at a time, so that they may be larger than the memory, and keep their types and
their form: a folder of diffusers gives a folder that `from_pretrained` opens.

  adaptive-neon merge --base A.pkl --tuned B.pkl --weights enc=1.25,mid=1.0,dec=0.75 -o C.safetensors
  adaptive-neon merge --base A --tuned B --weights down=1.25,mid=1.0,up=0.75 -o C
  adaptive-neon merge --base A.safetensors --tuned lora.safetensors --weights 0.75 -o C.safetensors
"""

import argparse
import json

from adaptive_neon.commands.options import (
    add_any_model,
    add_blocks,
    add_preset,
    block_patterns,
    given_blocks,
    of_a_family,
    parse_weights,
)
from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_any_model(parser, "--base", "θ_r", required=True)
    add_any_model(parser, "--tuned", "θ_s, also a LoRA", required=True)
    parser.add_argument(
        "--weights",
        required=True,
        metavar="W",
        help="one w for all blocks, or one per block: enc=1.25,mid=1.0,dec=0.75",
    )
    add_blocks(parser)
    add_preset(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the merged model: a .safetensors (see `export`), or a folder where the base is one or has shards",
    )


def run(base: str, tuned: str, weights: str, blocks: list[str] | None, preset: str | None, output: str) -> None:
    if of_a_family(base) and of_a_family(tuned):
        if preset:
            raise InputError(f"--preset: {preset!r} is for models of other programs; give --block for this one")
        _merge_of_a_family(base, tuned, weights, blocks, output)
    else:
        _merge(base, tuned, weights, blocks, preset, output)


def _merge(base: str, tuned: str, weights: str, blocks: list[str] | None, preset: str | None, output: str) -> None:
    from adaptive_neon.models.adapters import open_tuned
    from adaptive_neon.models.opening import open_model
    from adaptive_neon.models.outputs import Merge, check_destination, write_merged
    from adaptive_neon.models.pairs import cut, drifted

    theta_r = open_model(base)
    check_destination(output, theta_r, tuned)
    theta_s = open_tuned(tuned, theta_r)
    pairs = drifted(theta_r, theta_s)
    blocks_ = cut(pairs, preset, given_blocks(blocks))
    point = parse_weights(weights, list(blocks_.patterns))
    write_merged(output, Merge(theta_r, theta_s, pairs, blocks_, point))
    for file in theta_r.left_out:
        say(f"{file}: left out, another form of the same network or of another program")
    say(f"{output}: {', '.join(f'w_{block} = {w}' for block, w in point.items())}")


def _merge_of_a_family(base: str, tuned: str, weights: str, blocks: list[str] | None, output: str) -> None:
    from adaptive_neon.families.checkpoints import read_model, require_finite, write_checkpoint
    from adaptive_neon.jobs.files import check_output
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.extrapolation import merge
    from adaptive_neon.merging.grid import point_name
    from adaptive_neon.models.recipe import RECIPE, own_version

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
    about = {"blocks": patterns, "version": own_version()}
    origin[RECIPE] = json.dumps(about, sort_keys=True)
    write_checkpoint(output, merged, theta_r.architecture, **origin)
    say(f"{output}: {', '.join(f'w_{block} = {w}' for block, w in point.items())}")
