"""Recall by class of the four models of one snapshot."""

import json
from pathlib import Path

from adaptive_neon.figures import plot_classes, save_figure
from adaptive_neon.job import job
from adaptive_neon.wording import ROLE_NAMES

with job(snakemake.log[0], snakemake.threads):
    entry = json.loads(Path(snakemake.input[0]).read_text())
    save_figure(plot_classes({role: entry[role] for role in ROLE_NAMES}), snakemake.output[0])
