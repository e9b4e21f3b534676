"""Train θ_r from scratch."""

from functools import partial

import torch
from adaptive_neon.data.images import read_images
from adaptive_neon.families import family_of
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.loading import arrays, build, load_codec
from adaptive_neon.jobs.device import pick_precision
from adaptive_neon.jobs.job import job, progress_bar
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint
from adaptive_neon.training.averages import Averages
from adaptive_neon.training.distributed import in_processes, process_group, rank
from adaptive_neon.training.loop import Training, TrainingSettings, train, write_losses, write_state

params, run = snakemake.params, snakemake.config["run"]
in_processes(run["training_processes"], snakemake.log[0])
with job(snakemake.log[0], snakemake.threads), process_group(run["device"]) as device:
    images, labels = read_images(snakemake.input.images, "images")
    settings = TrainingSettings.from_section(params.training)
    until = round(params.training["kimg"] * 1000)

    torch.manual_seed(settings.seed)
    network = build(params.architecture, settings.family).to(device)
    codec = load_codec(snakemake.input.codec, params.architecture, device)
    training = Training(network, settings, partial(family_of(params.architecture).loss, **codec))
    if snakemake.output.averages and rank() == 0:
        training.averages = Averages(network, params.training["average_kimg"] * 1000)
    rolling = RollingCheckpoint(
        snakemake.output.model,
        fingerprint([dict(params), run["device"], run["precision"]], snakemake.input),
        run["checkpoint_minutes"],
    )
    with progress_bar(until) as bar:
        train(training, images, labels, until, rolling, bar.update, pick_precision(run["precision"], device))
    if rank() == 0:
        write_losses(snakemake.output.losses, training.losses)
        write_state(snakemake.output.state, training)
        if training.averages:
            training.averages.write(snakemake.output.averages[0])
        write_checkpoint(snakemake.output.model, arrays(training.ema), params.architecture)
        rolling.clear()
