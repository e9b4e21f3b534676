"""Sample images from θ_r, merged with θ_s or guided by it at each point of a cell, on equal seeds; or join."""

from functools import partial

from adaptive_neon.data.images import join_images, write_images
from adaptive_neon.jobs.job import job, progress_bar

shards = snakemake.input.get("shards")
if not shards:  # to join images needs no torch
    from adaptive_neon.families import family_of
    from adaptive_neon.families.batches import batch_size
    from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
    from adaptive_neon.families.loading import load, load_codec
    from adaptive_neon.families.sampling import Guided, antithetic, balanced_classes, sample_models
    from adaptive_neon.jobs.device import pick_device, pick_precision
    from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint
    from adaptive_neon.merging.blocks import assign_weights
    from adaptive_neon.merging.extrapolation import Merged
    from adaptive_neon.merging.grid import parse_point


def sample():
    inputs, params, run = snakemake.input, snakemake.params, snakemake.config["run"]
    device = pick_device(run["device"])
    first, count = params.seeds
    base = read_checkpoint(inputs.base)
    names = params.get("points", ["images"])
    if inputs.get("tuned"):
        tuned = read_checkpoint(inputs.tuned)
        block_of = assign_weights(base.weights, params.blocks, parse_point(names[0]))  # of all points of a cell

    def load_network(name):
        if inputs.get("weak"):
            w = next(iter(parse_point(name).values()))
            return Guided(load(base), load(read_checkpoint(inputs.weak)), w).to(device)
        if inputs.get("tuned"):
            tensors = Merged(base.tensors, tuned.tensors, parse_point(name), block_of)
            return load(Checkpoint(tensors, base.architecture)).to(device)
        return load(base).to(device)

    batch = run["sampling_batch"] or batch_size(device.type, base.architecture["img_resolution"])
    dtype = pick_precision(run["precision"], device)
    codec = load_codec(inputs.codec, base.architecture, device)
    draw_images = partial(family_of(base.architecture).draw, sampler=params.sampler, dtype=dtype, **codec)

    def draw(network, seeds):
        classes = balanced_classes(seeds, network.label_dim) if params.classes == "balanced" else None
        if params.get("noise") == "antithetic":
            seeds = antithetic(seeds, network.label_dim if classes else 1)
        return draw_images(network, seeds, classes=classes)

    rolling = RollingCheckpoint(
        snakemake.output[0],
        fingerprint([dict(params), run["device"], run["precision"], batch], [*inputs]),
        run["checkpoint_minutes"],
    )
    with progress_bar(count * len(names)) as bar:
        seeds = range(first, first + count)
        images, classes = sample_models(load_network, draw, names, seeds, batch, rolling, bar.update)
    write_images(snakemake.output[0], images, classes)
    rolling.clear()


with job(snakemake.log[0], snakemake.threads):
    if shards:
        write_images(snakemake.output[0], *join_images(shards), shards=len(shards))
    else:
        sample()
