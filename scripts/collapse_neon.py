"""Neon on a Gaussian over its weight."""

from adaptive_neon.collapse.neon_study import neon_study
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    write_json(snakemake.output[0], neon_study(snakemake.params.protocol, snakemake.params.seed))
