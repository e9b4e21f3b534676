"""Everything that is drawn of a loop; images are of the first replica."""

from adaptive_neon.data.images import read_images
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.loops.figures import plot_generations
from adaptive_neon.studies.figures import plot_sheet, save_figure

with job(snakemake.log[0], snakemake.threads):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    save_figure(plot_generations(read_json(inputs.summary)), outputs.curves)
    sheets = {}
    for (regime, _, generation), path in zip(params.runs, inputs.images, strict=True):
        rows = sheets.setdefault(regime, {"generation 0": read_images(inputs.base[0], params.point)[0]})
        rows[f"generation {generation}"] = read_images(path, "images")[0]
    for rows, path in zip(sheets.values(), outputs.sheets, strict=True):
        save_figure(plot_sheet(rows), path)
