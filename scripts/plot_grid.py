"""The grid of one snapshot as heat maps."""

from adaptive_neon.figures import plot_grid, save_figure
from adaptive_neon.files import read_json
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    selection = read_json(snakemake.input[0])
    fids = {point: selection["search"][point]["fid"] for point in snakemake.params.points}
    save_figure(plot_grid(fids, selection["indistinguishable"]), snakemake.output[0])
