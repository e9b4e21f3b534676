"""FID, precision and recall over a single weight, a curve for each snapshot."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.comparison import with_intervals
from adaptive_neon.studies.figures import plot_diagonal, save_figure

with job(snakemake.log[0], snakemake.threads):
    curves = {}
    for kimg, path in zip(snakemake.params.snapshots, snakemake.input, strict=True):
        search = read_json(path)["search"]
        curves[kimg] = {point: with_intervals(metrics) for point, metrics in search.items()}
    save_figure(plot_diagonal(curves), snakemake.output[0])
