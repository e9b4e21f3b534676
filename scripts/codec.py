"""Make the frozen codec of the models from the real images."""

from adaptive_neon.data.images import read_images
from adaptive_neon.families import family_of
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.loading import arguments, arrays
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    images, labels = read_images(snakemake.input[0], "images")
    known = arguments(params.architecture)
    codec = family_of(params.architecture).fit_codec(known, images, labels, params.seed)
    write_checkpoint(snakemake.output[0], arrays(codec), params.architecture)
