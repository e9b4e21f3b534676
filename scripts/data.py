"""The real images of the experiment, as one image set."""

from adaptive_neon.data.datasets import read_source
from adaptive_neon.data.downloads import Source
from adaptive_neon.data.images import write_images
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params, config = snakemake.params, snakemake.config
    mirrors = [Source(**mirror) for mirror in config["data"]["mirrors"]]
    images, labels = read_source(params.source, params.sha256, mirrors, config["run"]["cache"])
    write_images(snakemake.output[0], {"images": images}, labels)
    print(f"{len(images)} images of shape {images.shape[1:]}")
