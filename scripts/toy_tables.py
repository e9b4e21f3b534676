"""The tables of the 2-D Gaussian studies as CSV and as Markdown."""

from pathlib import Path

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.tables import write_table
from adaptive_neon.toy.summary import TABLES

with job(snakemake.log[0], snakemake.threads):
    summary = read_json(snakemake.input[0])
    for name, table in TABLES.items():
        header, *rows = table(summary)
        for suffix in (".csv", ".md"):
            write_table(Path(snakemake.output[name]).with_suffix(suffix), header, rows)
