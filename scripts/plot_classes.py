"""Recall by class of the four models of one snapshot."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import plot_classes, save_figure
from adaptive_neon.studies.wording import ROLE_NAMES

with job(snakemake.log[0], snakemake.threads):
    entry = read_json(snakemake.input[0])
    save_figure(plot_classes({role: entry[role] for role in ROLE_NAMES}), snakemake.output[0])
