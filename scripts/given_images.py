"""Images that are there already, as one image set."""

from adaptive_neon.data.datasets import read_dataset
from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.data.images import write_images
from adaptive_neon.errors import InputError
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    if params.source is None:
        raise InputError("measured: null; give the path or URL of a folder, a .zip, a .npz or a .npy of images")
    images, labels = read_dataset(fetch([Source(params.source)], snakemake.config["run"]["cache"]))
    if len(images) % params.seed_blocks:
        raise InputError(
            f"measured: {len(images)} images do not split into intervals.seed_blocks = {params.seed_blocks} equal "
            "blocks; choose a divisor"
        )
    write_images(snakemake.output[0], {"images": images}, labels)
