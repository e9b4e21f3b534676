"""The report: one page with the answer, tables, figures and how it was made."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.rivals.results import sentences
from adaptive_neon.studies.outcome import choose
from adaptive_neon.studies.provenance import checksums, write_provenance
from adaptive_neon.studies.report import write_report
from adaptive_neon.studies.wording import ROLE_NAMES, answer, fitted_weights, price_lines, snapshot_shown

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    summary = read_json(snakemake.input.summary)
    context = {
        "summary": summary,
        "answer": answer(summary),
        "price": price_lines(summary),
        "improved": choose(summary) is not None,
        "headline": snapshot_shown(summary),
        "blocks": params.blocks,
        "snapshots": params.snapshots,
        "replicas": [row[0] for row in params.seeds],
        "points": params.points,
        "search_size": params.search_size,
        "classes": len(summary["base"].get("recall_by_class", [])),
        "role_names": ROLE_NAMES,
        "fitted_weights": fitted_weights,
        "rivals": read_json(snakemake.input.rivals[0]) if snakemake.input.rivals else None,
        "rival_sentences": sentences,
        "has_linearity": any("linearity" in path for path in snakemake.input.rivals),
    }
    provenance = write_provenance(
        snakemake.output.provenance,
        params.config,
        seeds=params.seeds,
        checksums=checksums(snakemake.input.checked),
    )
    write_report(snakemake.output.page, snakemake.input.template, context, provenance)
