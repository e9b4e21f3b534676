"""The result of the study, for programs."""

from adaptive_neon.files import read_json, write_json
from adaptive_neon.job import job
from adaptive_neon.summary import summarise

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    replicas = [[read_json(path) for path in paths] for paths in params.comparisons]
    summary = summarise(params.experiment, params.features, params.images, params.seed_blocks, replicas)
    write_json(snakemake.output[0], summary)
