"""Merge θ_r and θ_s with the weights of each point of a cell."""

from pathlib import Path

from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.merging.grid import parse_point

with job(snakemake.log[0], snakemake.threads):
    base = read_checkpoint(snakemake.input.base)
    tuned = read_checkpoint(snakemake.input.tuned)
    block_of = assign_blocks(base.weights, snakemake.params.blocks)
    for name in snakemake.params.points:
        tensors = merge(base.tensors, tuned.tensors, parse_point(name), block_of)
        path = Path(snakemake.output[0]) / f"{name}.safetensors"
        write_checkpoint(path, tensors, base.architecture)
        print(name)
