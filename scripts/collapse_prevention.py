"""The smallest amount of real data that prevents the collapse of a model."""

from adaptive_neon.collapse.prevention import prevention
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    write_json(snakemake.output[0], prevention(snakemake.wildcards.model, params.protocol, params.seed))
