"""Print what a study will ask for: jobs, GPU-hours and core-hours of each rule.

Rates come from the benchmark files of a study that ran with the same configuration; where there are none, from
the network's floating-point operations and what a device is taken to sustain.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import mean

from adaptive_neon.commands.options import add_configs
from adaptive_neon.commands.output import say

# What a job is taken to sustain where no benchmark file tells: floating-point operations per second of these
# networks. They are small for a GPU, which reaches a fifth to a tenth of its peak with them.
FLOPS = {"cpu": 3e10, "V100": 9e12, "A100": 4e13, "H100": 1e14, "H200": 1e14}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configs(parser)
    parser.add_argument("--device", choices=FLOPS, help="default: cpu, or H100 where run.environment is cuda")
    parser.add_argument("--results", type=Path, help="of a measured study; default: results/<experiment>")


def run(configs: list[Path], device: str | None, results: Path | None) -> None:
    from adaptive_neon.studies.estimate import architecture_of
    from adaptive_neon.studies.layers import read_experiment

    config = read_experiment(configs)
    results = results or Path("results") / config["experiment"]
    say_estimate(config, architecture_of(config, results), device, results)


def say_estimate(config: Mapping, architecture: Mapping, device: str | None, results: Path) -> None:
    """Print the estimate of a study.

    Args:
        architecture: of its model.
        device: see the command; None for its default.
        results: of a measured study, if there is one.
    """
    from adaptive_neon.families import family_of
    from adaptive_neon.families.loading import arguments
    from adaptive_neon.loops import estimate as loops
    from adaptive_neon.rivals import estimate as rivals
    from adaptive_neon.search.settings import combinations
    from adaptive_neon.studies.estimate import estimate_lines, estimates, measured_rates, rules_of

    device = device or {"cpu": "cpu", "cuda": "H100"}[config["run"]["environment"]]
    family = family_of(architecture)
    network = arguments(architecture)
    drawing_flop = partial(family.drawing_flop, network)
    drawing = drawing_flop(config["sampler"])
    settings = combinations(config["grid"].get("sampler", {}))
    searching = mean(drawing_flop(config["sampler"] | setting) for setting in settings)
    training = family.training_flop(network)
    if config["loop"]["generations"]:
        rules = loops.rules_of(config, training, drawing)
    else:
        rules = rules_of(config, training, drawing, searching) + rivals.rules_of(config, training, drawing_flop)
    rates = measured_rates(config, results, lambda *job: loops.work_of(*job) or rivals.work_of(*job))
    for line in estimate_lines(estimates(rules, rates, FLOPS[device]), device):
        say(line)
    if not all(rule.name in rates for rule in rules if rule.work):
        say(f"({device}): a job is taken to sustain {FLOPS[device]:.0e} FLOP/s; run some jobs, then this again")
