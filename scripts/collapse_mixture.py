"""A mixture of three Gaussians in a loop, fitted by scikit-learn."""

from adaptive_neon.collapse.mixtures import mixture_study
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    write_json(snakemake.output[0], mixture_study(snakemake.params.protocol, snakemake.params.seed))
