"""A Gaussian over thousands of generations, for each share of synthetic data."""

from adaptive_neon.collapse.study import gaussian_study
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    write_json(snakemake.output[0], gaussian_study(params.protocol, params.seeds, params.seed))
