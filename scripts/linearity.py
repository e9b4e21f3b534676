"""How far merging is from guiding, by noise level and block."""

from adaptive_neon.data.images import read_images
from adaptive_neon.families import family_of
from adaptive_neon.families.batches import batch_size
from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
from adaptive_neon.families.loading import load
from adaptive_neon.jobs.device import pick_device
from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.grid import parse_point
from adaptive_neon.rivals.linearity import gaps, noisy_images, predictions

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    base, tuned = (read_checkpoint(path) for path in (snakemake.input.base, snakemake.input.tuned))
    w = next(iter(parse_point(read_json(snakemake.input.selection)["roles"]["global"]).values()))
    device = pick_device(snakemake.config["run"]["device"])
    batch = batch_size(device.type, base.architecture["img_resolution"])
    images = noisy_images(*read_images(snakemake.input.data, "images"), params.seed)
    levels = family_of(base.architecture).levels(load(base), params.sampler)

    def predict(tensors):
        network = load(Checkpoint(tensors, base.architecture)).to(device)
        return predictions(network, base.architecture, images, levels, batch)

    found = gaps(predict, base.tensors, tuned.tensors, w, assign_blocks(base.weights, params.blocks))
    write_json(
        snakemake.output[0], {"kimg": int(snakemake.wildcards.kimg), "w": w, "levels": levels, "blocks": found}
    )
