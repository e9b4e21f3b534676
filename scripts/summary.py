"""The result of the study, for programs, and its tables as CSV and as Markdown."""

from pathlib import Path

from adaptive_neon.families.checkpoints import read_checkpoint
from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies import wording
from adaptive_neon.studies.comparison import compare
from adaptive_neon.studies.price import images_descended, images_drawn, price
from adaptive_neon.studies.summary import summarise
from adaptive_neon.studies.tables import write_table

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    metrics = [read_json(path) for path in snakemake.input.metrics]
    entries, selections = {}, {}
    for (replica, kimg), selection, positions in zip(
        params.snapshots, snakemake.input.selections, params.heldout, strict=True
    ):
        found = selections[replica, kimg] = read_json(selection)
        heldout = {point: values for position in positions for point, values in metrics[position].items()}
        entries.setdefault(replica, []).append(compare(kimg, heldout, **found))
    checked, differentiated = images_descended(selections.values())
    drawn = images_drawn(selections, params.base, params.images["search"], params.images["control"]) + checked
    architecture = read_checkpoint(snakemake.input.base).architecture
    summary = summarise(
        params.experiment, params.features, params.images, params.seed_blocks, list(entries.values())
    )
    summary["price"] = price(architecture, params.sampler, params.searched, drawn, params.trained, differentiated)
    write_json(snakemake.output.summary, summary)
    for path in map(Path, snakemake.output.tables):
        header, rows = wording.table(path.stem, summary)
        write_table(path, header, rows)
