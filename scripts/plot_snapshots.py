"""Held-out FID over the amount of self-training."""

from adaptive_neon.figures import plot_snapshots, save_figure
from adaptive_neon.files import read_json
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    summary = read_json(snakemake.input[0])
    save_figure(plot_snapshots(summary), snakemake.output[0])
