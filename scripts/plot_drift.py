"""Length and straightness of the drift of self-training."""

import json
from pathlib import Path

from adaptive_neon.figures import plot_drift, save_figure
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    save_figure(plot_drift(json.loads(Path(snakemake.input[0]).read_text())), snakemake.output[0])
