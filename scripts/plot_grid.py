"""The grid of one snapshot as heat maps."""

import json
from pathlib import Path

from adaptive_neon.figures import plot_grid, save_figure
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    search = json.loads(Path(snakemake.input[0]).read_text())["search"]
    save_figure(plot_grid({point: search[point]["fid"] for point in snakemake.params.points}), snakemake.output[0])
