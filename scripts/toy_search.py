"""Gradient-based search of a weight per layer, from the best single weight and from random starts."""

import json
from pathlib import Path

from adaptive_neon.files import replacing
from adaptive_neon.job import job
from adaptive_neon.toy.models import read_models
from adaptive_neon.toy.search import gradient_search
from adaptive_neon.toy.study import family_of, self_training

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    protocol = params.protocol
    base, tuned = read_models(snakemake.input.models)
    key = protocol["scale"], protocol["epochs"]
    optima = gradient_search(
        family_of("diffusion", params.sampler),
        base,
        tuned[key],
        self_training(json.loads(Path(snakemake.input.sweep).read_text()), *key)["w"],
        protocol["starts"],
        protocol["bounds"],
        protocol["samples"],
        params.verification,
        int(snakemake.wildcards.seed),
    )
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps(optima, indent=1))
