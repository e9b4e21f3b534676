"""The metrics of all points of a later round of a search, in one file."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.search.rounds import joined_cells

with job(snakemake.log[0], snakemake.threads):
    write_json(snakemake.output[0], joined_cells(map(read_json, snakemake.input)))
