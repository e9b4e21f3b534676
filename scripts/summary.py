"""The result of the study, for programs."""

import json

from adaptive_neon.files import read_json, replacing
from adaptive_neon.job import job
from adaptive_neon.summary import summarise

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    replicas = [[read_json(path) for path in paths] for paths in params.comparisons]
    summary = summarise(params.experiment, params.features, params.images, params.seed_blocks, replicas)
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
