"""The grid of one snapshot as heat maps."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import plot_grid, save_figure

with job(snakemake.log[0], snakemake.threads):
    selection = read_json(snakemake.input[0])
    fids = {point: selection["search"][point]["fid"] for point in snakemake.params.points}
    save_figure(plot_grid(fids, selection["indistinguishable"]), snakemake.output[0])
