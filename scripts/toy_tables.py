"""The tables of the 2-D Gaussian studies as CSV and as Markdown."""

import csv
from pathlib import Path

from adaptive_neon.jobs.files import read_json, replacing
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.wording import markdown_table
from adaptive_neon.toy.summary import TABLES

with job(snakemake.log[0], snakemake.threads):
    summary = read_json(snakemake.input[0])
    for name, table in TABLES.items():
        path = Path(snakemake.output[name])
        header, *rows = table(summary)
        with replacing(path) as temporary, open(temporary, "w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        with replacing(path.with_suffix(".md")) as temporary:
            temporary.write_text(markdown_table(header, rows))
