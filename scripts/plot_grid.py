"""The grid of one snapshot as heat maps."""

import json
from pathlib import Path

from adaptive_neon.figures import plot_grid, save_figure
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    selection = json.loads(Path(snakemake.input[0]).read_text())
    fids = {point: selection["search"][point]["fid"] for point in snakemake.params.points}
    save_figure(plot_grid(fids, selection["indistinguishable"]), snakemake.output[0])
