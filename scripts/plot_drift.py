"""Length and straightness of the drift of self-training."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import plot_drift, save_figure

with job(snakemake.log[0], snakemake.threads):
    save_figure(plot_drift(read_json(snakemake.input[0])), snakemake.output[0])
