"""Sample images from one or several models, the same seeds for each; or join what other jobs sampled."""

from functools import partial

from adaptive_neon.data.images import join_images, write_images
from adaptive_neon.families import family_of
from adaptive_neon.families.checkpoints import read_checkpoint
from adaptive_neon.families.loading import load
from adaptive_neon.families.sampling import sample_models
from adaptive_neon.jobs.device import pick_device, pick_precision
from adaptive_neon.jobs.job import job, progress_bar
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint


def sample():
    params, run = snakemake.params, snakemake.config["run"]
    device = pick_device(run["device"])
    first, count = params.seeds

    family = family_of(snakemake.config["base"]["architecture"])
    draw = partial(family.draw, sampler=params.sampler, dtype=pick_precision(run["precision"], device))

    def load_network(name):
        return load(read_checkpoint(params.models[name])).to(device)

    files = params.models.values()
    rolling = RollingCheckpoint(
        snakemake.output[0],
        fingerprint([dict(params), run["device"], run["precision"], run["sampling_batch"]], files),
        run["checkpoint_minutes"],
    )
    with progress_bar(count * len(files)) as bar:
        images, classes = sample_models(
            load_network,
            draw,
            list(params.models),
            range(first, first + count),
            run["sampling_batch"],
            rolling,
            bar.update,
        )
    write_images(snakemake.output[0], images, classes)
    rolling.clear()


with job(snakemake.log[0], snakemake.threads):
    if shards := snakemake.input.get("shards"):
        write_images(snakemake.output[0], *join_images(shards), shards=len(shards))
    else:
        sample()
