"""What each regime does to each model, over the generations."""

from adaptive_neon.collapse.curves import curves
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    write_json(snakemake.output[0], curves(snakemake.params.protocol, snakemake.params.seed))
