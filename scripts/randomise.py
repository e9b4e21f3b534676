"""A random direction in the place of θ_s − θ_r, with the same norm in each block."""

from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.drift import randomise

with job(snakemake.log[0], snakemake.threads):
    base, tuned = (read_checkpoint(path) for path in (snakemake.input.base, snakemake.input.tuned))
    params = snakemake.params
    block_of = assign_blocks(base.weights, params.blocks)
    tensors = randomise(base.tensors, tuned.tensors, block_of, params.seed)
    write_checkpoint(snakemake.output[0], tensors, base.architecture)
