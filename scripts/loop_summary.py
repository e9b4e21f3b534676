"""The result of a loop, for programs, and its tables as CSV and as Markdown."""

from pathlib import Path

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.loops.summary import TABLES, summarise
from adaptive_neon.studies.tables import write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    base = [read_json(path)[params.point] for path in inputs.base]
    measured = {regime["name"]: [[metrics] for metrics in base] for regime in params.regimes}
    for (regime, replica, _), path in zip(params.runs, inputs.metrics, strict=True):
        measured[regime][replica].append(read_json(path)["images"])
    weights = {regime: [[] for _ in base] for regime, _, _ in params.corrected}
    for (regime, replica, _), path in zip(params.corrected, inputs.weights, strict=True):
        weights[regime][replica].append(read_json(path)["w"])
    about = (params.experiment, params.features, params.images, params.seed_blocks)
    summary = summarise(*about, params.regimes, measured, weights)
    write_json(outputs.summary, summary)
    for path in map(Path, outputs.tables):
        header, *rows = TABLES[path.stem](summary)
        write_table(path, header, rows)
