"""Write θ_s − θ_r as a LoRA of rank r, whose scale −w is Neon: θ = θ_r − w·(θ_s − θ_r).

The base model stays as it is, and w can be tried where images are drawn. It prints how much of the drift the
rank keeps in each block, the share of ‖θ_s − θ_r‖²; what is no matrix and no convolution, no LoRA holds.
Scale 1 is θ_s. With --weights the LoRA is −w·(θ_s − θ_r), with a w for each block, and scale 1 is Neon.

  adaptive-neon lora --base A --tuned B --rank 16 -o neon.safetensors
  adaptive-neon lora --base A --tuned B --rank 16 --weights 0.75 --form kohya -o neon.safetensors
"""

import argparse
import json

from adaptive_neon.commands.options import (
    add_any_model,
    add_blocks,
    add_preset,
    given_blocks,
    parse_weights,
)
from adaptive_neon.commands.output import say, table
from adaptive_neon.errors import InputError

LARGEST_RANK = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_any_model(parser, "--base", "θ_r", required=True)
    add_any_model(parser, "--tuned", "θ_s", required=True)
    parser.add_argument("--rank", type=int, required=True, help="of each factor; more keep more of the drift")
    parser.add_argument(
        "--weights",
        metavar="W",
        help="make −w·(θ_s − θ_r): one w for all blocks, or one a block; default: θ_s − θ_r",
    )
    parser.add_argument(
        "--form",
        default="diffusers",
        choices=["diffusers", "kohya", "peft"],
        help="names of the factors: as `load_lora_weights` of diffusers reads them; of kohya's scripts, for "
        "ComfyUI and others; or a folder for any network with peft (default: %(default)s)",
    )
    add_blocks(parser)
    add_preset(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="a .safetensors; with --form peft a new folder"
    )


def run(
    base: str,
    tuned: str,
    rank: int,
    weights: str | None,
    form: str,
    blocks: list[str] | None,
    preset: str | None,
    output: str,
) -> None:
    from pathlib import Path

    from adaptive_neon.jobs.files import check_new_folder, check_output, replacing_folder
    from adaptive_neon.models.adapters import PEFT, open_tuned
    from adaptive_neon.models.lora import lora, peft_config
    from adaptive_neon.models.opening import open_model
    from adaptive_neon.models.pairs import cut, drifted
    from adaptive_neon.models.recipe import RECIPE, recipe, sources_beside
    from adaptive_neon.models.stored import write_tensors

    if not 0 < rank <= LARGEST_RANK:
        raise InputError(f"--rank: {rank} must be between 1 and {LARGEST_RANK}")
    if form == "peft":
        check_new_folder(output)
    else:
        check_output(output, ".safetensors", reads=(base, tuned))
    theta_r = open_model(base)
    theta_s = open_tuned(tuned, theta_r)
    pairs = drifted(theta_r, theta_s)
    cut_ = cut(pairs, preset, given_blocks(blocks))
    point = parse_weights(weights, list(cut_.patterns)) if weights else None
    if form == "peft" and len(pairs) > 1:
        names = " and ".join(pair.name for pair in pairs)
        raise InputError(f"--form: peft is for one network, but {names} differ; give them one by one")
    with sources_beside(theta_r, theta_s) as sources:
        tensors, shares = lora(pairs, cut_, rank, form, point)
        about = recipe(sources(), pairs, cut_, point) | {"rank": rank}
    metadata = {"format": "pt", RECIPE: json.dumps(about)}
    if form == "peft":
        with replacing_folder(output) as folder:
            (folder / PEFT).write_text(json.dumps(peft_config(tensors, rank), indent=1))
            write_tensors(folder / "adapter_model.safetensors", tensors, metadata)
    else:
        write_tensors(Path(output), tensors, metadata)
    rows = [["block", "|θ_s − θ_r|", "kept"]]
    rows += [[block, f"{kept.drift**0.5:.5g}", f"{kept.share:.1%}"] for block, kept in shares.items()]
    total = sum(kept.kept for kept in shares.values()) / sum(kept.drift for kept in shares.values())
    for line in table(rows):
        say(line)
    say(f"{output}: rank {rank} keeps {total:.1%} of |θ_s − θ_r|²; {'scale 1' if point else 'scale −w'} is Neon")
