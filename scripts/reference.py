"""Features of the real images, and their statistics."""

from adaptive_neon.features import load_extractor
from adaptive_neon.images import read_images
from adaptive_neon.job import job
from adaptive_neon.measurement import write_reference

with job(snakemake.log[0], snakemake.threads):
    images, _ = read_images(snakemake.input.data, "images")
    extract = load_extractor(snakemake.input.extractor)
    write_reference(snakemake.output[0], extract(images))
