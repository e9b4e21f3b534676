"""Distance to the 2-D Gaussian over one weight, for each self-training."""

from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.toy.models import read_models
from adaptive_neon.toy.study import evenly, family_of, sweep

with job(snakemake.log[0], snakemake.threads):
    protocol = snakemake.params.protocol
    values = protocol["sweep"]
    outcome = sweep(
        family_of(snakemake.wildcards.family, protocol["sampler"]),
        *read_models(snakemake.input[0]),
        evenly(values["first"], values["last"], values["count"]),
        values["samples"],
        snakemake.params.verification,
        int(snakemake.wildcards.seed),
    )
    write_json(snakemake.output[0], outcome)
