"""Cosine between the gradients on real and on synthetic data, over the sampler's scale."""

from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.toy.gaussian import real_data, stream
from adaptive_neon.toy.models import read_models
from adaptive_neon.toy.study import alignment, evenly, family_of

with job(snakemake.log[0], snakemake.threads):
    protocol, seed = snakemake.params.protocol, int(snakemake.wildcards.seed)
    values = protocol["alignment"]
    base, _ = read_models(snakemake.input[0])
    family = family_of(snakemake.wildcards.family, protocol["sampler"])
    population = real_data(values["data"], stream(seed, "population"))
    scales = evenly(values["first"], values["last"], values["count"])
    cosines = alignment(family, base, population, scales, values["passes"], seed)
    write_json(snakemake.output[0], {"scales": scales, "cosines": cosines})
