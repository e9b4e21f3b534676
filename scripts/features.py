"""Features of the base model's images on search seeds, the control variate of all other points."""

from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.features import extract_features, load_extractor
from adaptive_neon.evaluation.measurement import write_features
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    (point,) = snakemake.params.points
    images, _ = read_images(snakemake.input.images, point)
    extract = load_extractor(snakemake.input.extractor, snakemake.config["run"]["device"])
    write_features(snakemake.output[0], extract_features(extract, images))
    print(len(images), "images")
