"""How far and how straight self-training moved the parameters of each block."""

from adaptive_neon.families.checkpoints import read_checkpoint
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.drift import describe

with job(snakemake.log[0], snakemake.threads):
    base = read_checkpoint(snakemake.input.base)
    block_of = assign_blocks(base.weights, snakemake.params.blocks)
    snapshots = {
        kimg: read_checkpoint(path).tensors
        for kimg, path in zip(snakemake.params.snapshots, snakemake.input.tuned, strict=True)
    }
    write_json(snakemake.output[0], describe(base.tensors, snapshots, block_of))
