"""Every law with its simulation."""

from adaptive_neon.collapse.statements import all_statements
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    rows = all_statements(snakemake.params.seeds, snakemake.params.seed)
    write_json(snakemake.output[0], [row.record() for row in rows])
