"""Check the configuration of an experiment, in a second and without starting anything.

The first fault is one line that names the file or the key. `make` does this before it starts Snakemake, whose
own messages about such files don't name them.

  adaptive-neon check config.yaml experiments/digits-replicas.yaml
"""

import argparse
from pathlib import Path

from adaptive_neon.commands.options import add_configs
from adaptive_neon.commands.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configs(parser)


def run(configs: list[Path]) -> None:
    from adaptive_neon.studies.layers import read_experiment
    from adaptive_neon.studies.plan import Study

    study = Study(read_experiment(configs))
    say(
        f"{configs[-1]}: {len(study.search_points)} points of {len(study.blocks)} blocks, "
        f"snapshots at {', '.join(map(str, study.snapshots))} kimg, replicas: {len(study.replicas)}"
    )
