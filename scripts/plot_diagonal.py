"""FID, precision and recall over a single weight, a curve for each snapshot."""

import json
from pathlib import Path

from adaptive_neon.comparison import measured
from adaptive_neon.figures import plot_diagonal, save_figure
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    curves = {}
    for kimg, path in zip(snakemake.params.snapshots, snakemake.input, strict=True):
        search = json.loads(Path(path).read_text())["search"]
        curves[kimg] = {point: measured(metrics) for point, metrics in search.items()}
    save_figure(plot_diagonal(curves), snakemake.output[0])
