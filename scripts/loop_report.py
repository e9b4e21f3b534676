"""The report of a loop: one page with the answer, tables, figures and how it was made."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.loops.summary import described, terminal_lines
from adaptive_neon.studies.provenance import checksums, write_provenance
from adaptive_neon.studies.report import write_report

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    summary = read_json(snakemake.input.summary)
    context = {
        "summary": summary,
        "lines": terminal_lines(summary),
        "described": {entry["regime"]["name"]: described(entry["regime"]) for entry in summary["regimes"]},
    }
    provenance = write_provenance(
        snakemake.output.provenance, params.config, checksums=checksums(snakemake.input.checked)
    )
    write_report(snakemake.output.page, snakemake.input.template, context, provenance)
