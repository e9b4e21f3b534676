"""Print what a checkpoint holds: its architecture, its blocks and how many parameters each has.

With a second checkpoint of the same network, also how far the two lie apart in each block: the norm of
θ_s − θ_r, and that norm over the norm of θ_r. Of a checkpoint of another program it lists the presets of blocks
that fit the names in it.

  adaptive-neon inspect A.pkl
  adaptive-neon inspect A.pkl B.pkl
  adaptive-neon inspect A B --preset block-weighted
"""

import argparse

from adaptive_neon.commands.options import (
    add_any_model,
    add_blocks,
    add_preset,
    block_patterns,
    given_blocks,
    of_a_family,
)
from adaptive_neon.commands.output import say, table
from adaptive_neon.errors import InputError, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_any_model(parser, "base", "θ_r")
    add_any_model(parser, "tuned", "θ_s, also a LoRA", nargs="?")
    add_blocks(parser)
    add_preset(parser)


def run(base: str, tuned: str | None, blocks: list[str] | None, preset: str | None) -> None:
    if not of_a_family(base) or (tuned and not of_a_family(tuned)):
        _inspect(base, tuned, blocks, preset)
        return
    if preset:
        raise InputError(f"--preset: {preset!r} is for models of other programs; give --block for this one")
    _inspect_of_a_family(base, tuned, blocks)


def _inspect(base: str, tuned: str | None, blocks: list[str] | None, preset: str | None) -> None:
    import math

    from adaptive_neon.models.adapters import open_tuned
    from adaptive_neon.models.opening import open_model
    from adaptive_neon.models.pairs import Pair, cut, drifted, squares
    from adaptive_neon.models.presets import presets

    theta_r = open_model(base)
    for name, component in theta_r.components.items():
        pair = Pair(name, component, component)
        sizes = {weight: math.prod(component.tensors[weight].shape) for weight in pair.weights}
        types = sorted({str(t.dtype).removeprefix("torch.") for t in component.tensors.values()})
        where = f"{base}, {name}" if name else base
        say(f"{where}: {sum(sizes.values()):,} parameters, {', '.join(types)}")
        fitting = [f"{found} ({len(patterns)})" for found, patterns in presets(pair.weights).items()]
        say(f"  presets: {', '.join(fitting)}; the first is the default")
    if tuned:
        pairs = drifted(theta_r, open_tuned(tuned, theta_r))
    else:
        pairs = [Pair(name, component, component) for name, component in theta_r.components.items()]
    cut_ = cut(pairs, preset, given_blocks(blocks))
    rows = {block: [0, 0, 0.0, 0.0] for block in cut_.patterns}  # tensors, parameters, ‖θ_s − θ_r‖², ‖θ_r‖²
    for pair in pairs:
        for name, block in cut_.block_of[pair.name].items():
            drift, norm = squares(pair, name) if tuned else (0.0, 0.0)
            size = math.prod(pair.theta_r.tensors[name].shape)
            rows[block] = [a + b for a, b in zip(rows[block], (1, size, drift, norm), strict=True)]
    cells = [["block", "tensors", "parameters"] + (["|θ_s − θ_r|", "relative to |θ_r|"] if tuned else [])]
    for block, (tensors, size, drift, norm) in rows.items():
        moved = [f"{drift**0.5:.5g}", f"{(drift / norm) ** 0.5 if norm else 0:.5g}"] if tuned else []
        cells.append([block, f"{tensors:,}", f"{size:,}", *moved])
    for line in table(cells):
        say(line)


def _inspect_of_a_family(base: str, tuned: str | None, blocks: list[str] | None) -> None:
    from adaptive_neon.families.checkpoints import read_model
    from adaptive_neon.families.loading import load
    from adaptive_neon.merging.blocks import assign_blocks
    from adaptive_neon.merging.drift import Drift, block_norms
    from adaptive_neon.merging.extrapolation import require_same_network

    theta_r = read_model(base)
    parameters = {name: parameter.numpy() for name, parameter in load(theta_r).named_parameters()}
    say(f"{base}: {sum(array.size for array in parameters.values()):,} parameters")
    for key, value in theta_r.architecture.items():
        say(f"  {key}: {shown(value) if key == 'prompts' else value}")

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
    for line in table(rows):
        say(line)
