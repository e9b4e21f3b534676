"""Held-out FID over the amount of self-training."""

import json
from pathlib import Path

from adaptive_neon.figures import plot_snapshots, save_figure
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    summary = json.loads(Path(snakemake.input[0]).read_text())
    save_figure(plot_snapshots(summary), snakemake.output[0])
