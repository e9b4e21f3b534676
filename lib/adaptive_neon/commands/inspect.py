"""Print what a checkpoint holds: its architecture, its blocks and how many parameters each has.

With a second checkpoint of the same network, also how far the two lie apart in each block: the norm of
θ_s − θ_r, and that norm over the norm of θ_r.

  adaptive-neon inspect A.pkl
  adaptive-neon inspect A.pkl B.pkl
"""

import argparse

from adaptive_neon.commands.options import add_blocks, add_model, block_patterns
from adaptive_neon.commands.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "base", "θ_r")
    add_model(parser, "tuned", "θ_s", nargs="?")
    add_blocks(parser)


def run(base: str, tuned: str | None, blocks: list[str] | None) -> None:
    from adaptive_neon.families.checkpoints import read_model
    from adaptive_neon.families.loading import load
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.drift import Drift, block_norms
    from adaptive_neon.merging.extrapolation import require_same_network

    theta_r = read_model(base)
    parameters = {name: parameter.numpy() for name, parameter in load(theta_r).named_parameters()}
    say(f"{base}: {sum(array.size for array in parameters.values()):,} parameters")
    for key, value in theta_r.architecture.items():
        say(f"  {key}: {value}")

    block_of = assign_blocks(parameters, block_patterns(blocks, theta_r.architecture))
    rows = [["block", "tensors", "parameters"]]
    for block in dict.fromkeys(block_of.values()):
        names = [name for name in parameters if block_of[name] == block]
        rows.append([block, f"{len(names):,}", f"{sum(parameters[name].size for name in names):,}"])
    if tuned:
        theta_s = read_model(tuned).tensors
        require_same_network(theta_r.tensors, theta_s)
        norms = block_norms(parameters, block_of)
        distances = block_norms(Drift(parameters, theta_s), block_of)
        rows[0] += ["|θ_s − θ_r|", "relative to |θ_r|"]
        for row in rows[1:]:
            row += [f"{distances[row[0]]:.5g}", f"{distances[row[0]] / norms[row[0]]:.5g}"]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
