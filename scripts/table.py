"""Table 1 as CSV and as Markdown."""

import csv
import json
from pathlib import Path

from adaptive_neon.files import replacing
from adaptive_neon.job import job
from adaptive_neon.summary import TABLE_HEADER, markdown_table, table_rows

with job(snakemake.log[0], snakemake.threads):
    rows = table_rows(json.loads(Path(snakemake.input[0]).read_text()))
    with replacing(snakemake.output.csv) as temporary, open(temporary, "w", newline="") as file:
        csv.writer(file).writerows([TABLE_HEADER, *rows])
    with replacing(snakemake.output.markdown) as temporary:
        temporary.write_text(markdown_table(TABLE_HEADER, rows))
