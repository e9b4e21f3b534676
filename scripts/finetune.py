"""Train θ_r on its own images, or on others, from the previous snapshot to this one; θ_s is the moving average."""

from functools import partial

import torch
from adaptive_neon.data.images import read_images
from adaptive_neon.families import family_of
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.loading import arrays, load, load_codec
from adaptive_neon.families.networks.low_rank import merged
from adaptive_neon.jobs.device import pick_precision
from adaptive_neon.jobs.job import job, progress_bar
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint
from adaptive_neon.training.distributed import in_processes, process_group, rank
from adaptive_neon.training.loop import Training, TrainingSettings, read_state, train, write_losses, write_state

params, run = snakemake.params, snakemake.config["run"]
in_processes(run["training_processes"], snakemake.log[0])
with job(snakemake.log[0], snakemake.threads), process_group(run["device"]) as device:
    base = read_checkpoint(snakemake.input.base)
    images, labels = read_images(snakemake.input.images, "images")
    until = round((params.get("after", 0) + int(snakemake.wildcards.kimg)) * 1000)

    settings = TrainingSettings.from_section(params.training | {"seed": params.seed})
    torch.manual_seed(settings.seed)  # of the factors of a LoRA
    network = load(base, settings.family).to(device)
    codec = load_codec(snakemake.input.codec, base.architecture, device)
    training = Training(network, settings, partial(family_of(base.architecture).loss, **codec))
    if snakemake.input.state:
        training.load_state_dict(read_state(snakemake.input.state))
        training.losses.clear()
    rolling = RollingCheckpoint(
        snakemake.output.model,
        fingerprint([dict(params), run["device"], run["precision"]], snakemake.input),
        run["checkpoint_minutes"],
    )
    with progress_bar(until - training.images_seen) as bar:
        train(training, images, labels, until, rolling, bar.update, pick_precision(run["precision"], device))
    if rank() == 0:
        write_losses(snakemake.output.losses, training.losses)
        write_state(snakemake.output.state, training)
        write_checkpoint(snakemake.output.model, arrays(merged(training.ema)), base.architecture)
        rolling.clear()
