"""Held-out FID over the amount of self-training."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import plot_snapshots, save_figure

with job(snakemake.log[0], snakemake.threads):
    summary = read_json(snakemake.input[0])
    save_figure(plot_snapshots(summary), snakemake.output[0])
