"""The report of the studies of loops: one page with tables, figures and how it was made."""

from adaptive_neon.collapse.summary import terminal_lines
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.provenance import write_provenance
from adaptive_neon.studies.report import write_report

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    summary = read_json(snakemake.input.summary)
    context = {
        "summary": summary,
        "lines": terminal_lines(summary),
    }
    provenance = write_provenance(snakemake.output.provenance, params.config)
    write_report(snakemake.output.page, snakemake.input.template, context, provenance)
