"""The mean of the θ_s of all replicas."""

from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.extrapolation import Mean

with job(snakemake.log[0], snakemake.threads):
    models = [read_checkpoint(path) for path in snakemake.input]
    mean = Mean([model.tensors for model in models], models[0].weights)
    write_checkpoint(snakemake.output[0], mean, models[0].architecture)
