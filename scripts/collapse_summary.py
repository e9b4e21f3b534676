"""The result of the studies of loops, for programs, and its tables as CSV and as Markdown."""

from pathlib import Path

from adaptive_neon.collapse.summary import TABLES, summarise
from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.tables import write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    parts = {name: read_json(inputs[name]) for name in ("study", "mixture", "statements", "curves", "neon")}
    parts["prevention"] = {
        model: read_json(path) for model, path in zip(params.models, inputs.prevention, strict=True)
    }
    summary = summarise(parts, params.seeds)
    write_json(snakemake.output.summary, summary)
    for path in map(Path, snakemake.output.tables):
        header, *rows = TABLES[path.stem](summary)
        write_table(path, header, rows)
