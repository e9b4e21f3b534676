"""The weights per block, or of every layer, by gradient descent from the best single weight."""

from functools import partial

import numpy as np
import torch
from adaptive_neon.evaluation.features import extract_features, load_differentiable, load_extractor
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.families import family_of
from adaptive_neon.families.batches import batch_size
from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
from adaptive_neon.families.loading import load
from adaptive_neon.families.sampling import balanced_classes
from adaptive_neon.jobs.device import pick_device, pick_precision
from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job, progress_bar
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.drift import Drift
from adaptive_neon.merging.extrapolation import Merged
from adaptive_neon.search.gradient import descend, merged_features
from adaptive_neon.search.rounds import best_on_line, described, joined_cells

with job(snakemake.log[0], snakemake.threads):
    inputs, params, run = snakemake.input, snakemake.params, snakemake.config["run"]
    device = pick_device(run["device"])
    base, tuned = read_checkpoint(inputs.base), read_checkpoint(inputs.tuned)
    network = load(base).to(device)
    weights = set(base.weights)
    block_of = assign_blocks([name for name in network.state_dict() if name in weights], params.blocks)
    blocks = list(dict.fromkeys(block_of.values()))
    singles = joined_cells(map(read_json, inputs.first))
    (start,), _ = best_on_line(params.region, params.points, [singles]).best()
    drift = {
        name: torch.from_numpy(array).float().to(device)
        for name, array in Drift(base.tensors, tuned.tensors).items()
        if name in block_of
    }
    balanced = params.classes == "balanced"
    draw_images = partial(
        family_of(base.architecture).draw, sampler=params.sampler, dtype=pick_precision(run["precision"], device)
    )

    def draw(network, seeds, **how):
        classes = balanced_classes(seeds, network.label_dim) if balanced else None
        return draw_images(network, seeds, classes=classes, **how)[0]

    extract, real = load_extractor(inputs.extractor, run["device"]), read_reference(inputs.reference).statistics
    batch = run["sampling_batch"] or batch_size(device.type, base.architecture["img_resolution"])

    def check(weights):
        merged = Merged(base.tensors, tuned.tensors, dict(zip(blocks, weights, strict=True)), block_of)
        network = load(Checkpoint(merged, base.architecture)).to(device)
        seeds = range(params.seeds[0], sum(params.seeds))
        images = [draw(network, seeds[at : at + batch]).numpy() for at in range(0, len(seeds), batch)]
        return extract_features(extract, np.concatenate(images)) if all(map(len, images)) else np.empty(0)

    features = merged_features(
        network,
        drift,
        {name: blocks.index(block) for name, block in block_of.items()},
        partial(draw, differentiable=True),
        load_differentiable(inputs.extractor, run["device"]),
        batch,
    )
    rolling = RollingCheckpoint(
        snakemake.output[0],
        fingerprint([dict(params), run["device"], run["precision"], batch], inputs),
        run["checkpoint_minutes"],
    )
    first, count = params.step_seeds
    with progress_bar(count) as bar:
        checks = descend(
            features,
            check,
            real,
            [start] * len(blocks),
            range(first, first + count),
            params.descent["steps"],
            params.descent["lr"],
            params.seed_blocks,
            rolling,
            bar.update,
        )
    found = described(blocks, checks, params.seeds[1], params.descent["images"], len(real.mean))
    write_json(snakemake.output[0], found)
    for one in found["checks"]:
        print(one["step"], one["fid"])
    rolling.clear()
