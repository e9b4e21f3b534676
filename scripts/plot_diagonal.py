"""FID, precision and recall over a single weight, a curve for each snapshot."""

from adaptive_neon.comparison import measured
from adaptive_neon.figures import plot_diagonal, save_figure
from adaptive_neon.files import read_json
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    curves = {}
    for kimg, path in zip(snakemake.params.snapshots, snakemake.input, strict=True):
        search = read_json(path)["search"]
        curves[kimg] = {point: measured(metrics) for point, metrics in search.items()}
    save_figure(plot_diagonal(curves), snakemake.output[0])
