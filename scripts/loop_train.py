"""Train a generation of a loop on the set that its regime composes, from the generation before or from scratch."""

from functools import partial

import torch
from adaptive_neon.data.images import read_images
from adaptive_neon.families import family_of
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.loading import arrays, build, load, load_codec
from adaptive_neon.families.networks.low_rank import merged
from adaptive_neon.jobs.device import pick_precision
from adaptive_neon.jobs.job import job, progress_bar
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint
from adaptive_neon.loops.composition import compose
from adaptive_neon.loops.plan import Regime
from adaptive_neon.training.distributed import in_processes, process_group, rank
from adaptive_neon.training.loop import Training, TrainingSettings, train, write_losses

inputs, outputs, params, run = snakemake.input, snakemake.output, snakemake.params, snakemake.config["run"]


def trained(previous, images, labels, device):
    """The tensors and the losses of the new generation."""
    settings = TrainingSettings.from_section(params.training | {"seed": params.seed})
    until = round(params.training["kimg"] * 1000)
    torch.manual_seed(settings.seed)
    if params.start == "previous":
        network = load(previous, settings.family)
    else:
        network = build(previous.architecture, settings.family)
    codec = load_codec(inputs.codec, previous.architecture, device)
    training = Training(network.to(device), settings, partial(family_of(previous.architecture).loss, **codec))
    state = fingerprint([dict(params), run["device"], run["precision"]], inputs)
    rolling = RollingCheckpoint(outputs.model, state, run["checkpoint_minutes"])
    with progress_bar(until) as bar:
        train(training, images, labels, until, rolling, bar.update, pick_precision(run["precision"], device))
    return arrays(merged(training.ema)), training.losses, rolling


in_processes(run["training_processes"], snakemake.log[0])
with job(snakemake.log[0], snakemake.threads), process_group(run["device"]) as device:
    previous = read_checkpoint(inputs.previous)
    sets = [read_images(path, "images") for path in inputs.synthetic]
    if all(len(images) for images, _ in sets):
        regime, generation = Regime(**params.regime), int(snakemake.wildcards.generation)
        real = read_images(inputs.data, "images")
        images, labels = compose(regime, real, sets, params.size, generation, params.composition_seed)
        print(f"{len(images)} training images")
        tensors, losses, rolling = trained(previous, images, labels, device)
    else:
        print("a generation before diverged and has no images: this one is the model before it, as it is")
        tensors, losses, rolling = previous.tensors, [], None
    if rank() == 0:
        write_losses(outputs.losses, losses)
        write_checkpoint(outputs.model, tensors, previous.architecture)
        if rolling:
            rolling.clear()
