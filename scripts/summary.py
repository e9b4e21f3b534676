"""The result of the study, for programs."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.summary import summarise

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    replicas = [[read_json(path) for path in paths] for paths in params.comparisons]
    summary = summarise(params.experiment, params.features, params.images, params.seed_blocks, replicas)
    write_json(snakemake.output[0], summary)
