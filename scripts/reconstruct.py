"""θ_r with a moving average of another length, of those that its training has kept."""

from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.jobs.job import job
from adaptive_neon.training.averages import Reconstructed

with job(snakemake.log[0], snakemake.threads):
    base = read_checkpoint(snakemake.input.base)
    model = Reconstructed(base.tensors, snakemake.input.averages[0], snakemake.params.length)
    write_checkpoint(snakemake.output[0], model, base.architecture)
