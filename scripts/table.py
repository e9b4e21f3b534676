"""Table 1, all metrics of the snapshot to speak of, and all replicas together: as CSV and as Markdown."""

import csv
from pathlib import Path

from adaptive_neon.jobs.files import read_json, replacing
from adaptive_neon.jobs.job import job
from adaptive_neon.studies import wording

with job(snakemake.log[0], snakemake.threads):
    summary = read_json(snakemake.input[0])
    tables = {
        "table1": (wording.TABLE_HEADER, wording.table_rows(summary)),
        "metrics": (wording.METRICS_HEADER, wording.metrics_rows(summary, wording.headline(summary))),
    }
    if "over_replicas" in summary:
        tables["replicas"] = (wording.REPLICAS_HEADER, wording.replicas_rows(summary))
    for path in map(Path, snakemake.output):
        header, rows = tables[path.stem]
        with replacing(path) as temporary, open(temporary, "w", newline="") as file:
            if path.suffix == ".csv":
                csv.writer(file).writerows([header, *rows])
            else:
                file.write(wording.markdown_table(header, rows))
