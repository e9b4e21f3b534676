"""Gradient-based search of a weight per layer, from the best single weight and from random starts."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
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
        self_training(read_json(snakemake.input.sweep), *key)["w"],
        protocol["starts"],
        protocol["bounds"],
        protocol["samples"],
        params.verification,
        int(snakemake.wildcards.seed),
    )
    write_json(snakemake.output[0], optima)
