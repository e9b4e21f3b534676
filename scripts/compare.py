"""Finished studies on one page: a row and a panel each."""

import csv
from pathlib import Path

from adaptive_neon.jobs.files import read_json, replacing
from adaptive_neon.jobs.job import job
from adaptive_neon.jobs.times import core_hours
from adaptive_neon.studies import figures, overview
from adaptive_neon.studies.report import write_report
from adaptive_neon.studies.wording import answer, markdown_table

with job(snakemake.log[0], snakemake.threads):
    inputs, outputs = snakemake.input, snakemake.output
    summaries = [read_json(path) for path in inputs.summaries]
    rows = overview.rows(summaries, [core_hours(Path(path).parent) for path in inputs.summaries])
    with replacing(outputs.csv) as temporary, open(temporary, "w", newline="") as file:
        csv.writer(file).writerows([overview.HEADER, *rows])
    with replacing(outputs.markdown) as temporary:
        temporary.write_text(markdown_table(overview.HEADER, rows))
    figures.save_figure(figures.plot_studies(summaries), outputs.figure)
    context = {"answers": {summary["experiment"]: answer(summary) for summary in summaries}}
    write_report(outputs.page, inputs.template, context)
