"""Features of the real images, their statistics and their neighbourhoods."""

from adaptive_neon.features import load_extractor
from adaptive_neon.images import read_images
from adaptive_neon.job import job
from adaptive_neon.measurement import real_from, write_reference
from adaptive_neon.references import read_statistics

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    published = read_statistics(inputs.statistics) if inputs.statistics else None
    images, labels = read_images(inputs.data, "images")
    extract = load_extractor(inputs.extractor, snakemake.config["run"]["device"])
    write_reference(
        snakemake.output[0], real_from(extract(images), labels, snakemake.params.neighbours, published)
    )
