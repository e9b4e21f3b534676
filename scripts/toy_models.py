"""Train θ_r on the 2-D Gaussian, and fine-tune it on its own samples at each scale."""

from adaptive_neon.jobs.job import job
from adaptive_neon.toy.models import write_models
from adaptive_neon.toy.study import base_model, family_of, self_train

with job(snakemake.log[0], snakemake.threads):
    protocol, seed = snakemake.params.protocol, int(snakemake.wildcards.seed)
    tuning = protocol["self_training"]
    family = family_of(snakemake.wildcards.family, protocol["sampler"])
    base = base_model(family, protocol["data"], protocol["epochs"], protocol["lr"], seed)
    tuned = {}
    for scale in tuning["scales"]:
        found = self_train(family, base, scale, tuning["data"], tuning["lr"], tuning["epochs"], seed)
        tuned |= {(scale, epochs): model for epochs, model in found.items()}
    write_models(snakemake.output[0], base, tuned, protocol["sampler"])
