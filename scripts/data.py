"""The real images of the experiment, as one image set."""

from adaptive_neon.datasets import read_source
from adaptive_neon.images import write_images
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    images, labels = read_source(**snakemake.params.data)
    write_images(snakemake.output[0], {"images": images}, labels)
    print(f"{len(images)} images of shape {images.shape[1:]}")
