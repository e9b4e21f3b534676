"""Draw images from a model with EDM's deterministic sampler, one image a seed.

A seed gives the same image in any batch and on any machine, up to rounding, and for a network with classes also
its class. A killed command continues where it was.

  adaptive-neon sample C.safetensors --seeds 0-63 -o images/        a folder of PNG files, or
  adaptive-neon sample C.safetensors --seeds 0-49999 -o images.npz  one file for `adaptive-neon fid`
"""

import argparse
from pathlib import Path

from adaptive_neon.commands.options import add_device, add_model, parse_seeds
from adaptive_neon.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "model", "the model")
    parser.add_argument("--seeds", default="0-63", help="such as 0-63 or 1,2,5-10 (default: %(default)s)")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="PATH",
        help="a .npz, a .zip of PNG files, or a new folder for PNG files; the classes go with them",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=18,
        help="2·steps − 1 network evaluations an image; EDM: 18 on CIFAR-10, 40 on FFHQ and AFHQv2 (default: 18)",
    )
    parser.add_argument("--sigma-min", type=float, default=0.002, help="lowest noise level (default: %(default)s)")
    parser.add_argument("--sigma-max", type=float, default=80, help="highest noise level (default: %(default)s)")
    parser.add_argument("--rho", type=float, default=7, help="how steps crowd at low noise (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="images at a time (default: %(default)s)")
    add_device(parser, precision="auto")


def run(model: str, seeds: str, output: str, batch: int, device: str, precision: str, **sampler) -> None:
    numbers = parse_seeds(seeds)
    if (
        sampler["steps"] < 2
        or batch < 1
        or not 0 < sampler["sigma_min"] < sampler["sigma_max"]
        or sampler["rho"] <= 0
    ):
        raise InputError(
            "--steps must be at least 2, --batch 1, --rho above 0, and --sigma-min between 0 and --sigma-max"
        )
    from tqdm import tqdm

    from adaptive_neon.data.datasets import check_new, write_dataset
    from adaptive_neon.families.checkpoints import read_model
    from adaptive_neon.families.networks.unet import load
    from adaptive_neon.families.sampling import sample_models
    from adaptive_neon.jobs.device import pick_device, pick_precision
    from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint

    check_new(output)
    where = pick_device(device)
    checkpoint = read_model(model)
    network = load(checkpoint.tensors, checkpoint.architecture).to(where)
    rolling = RollingCheckpoint(
        output, fingerprint([numbers, sampler, batch, str(where), precision], [model]), minutes=5
    )
    with tqdm(total=len(numbers), unit=" images", desc="sampling") as bar:
        images, classes = sample_models(
            lambda _: network,
            [model],
            numbers,
            sampler,
            batch,
            rolling,
            bar.update,
            pick_precision(precision, where),
        )
    if not len(images[model]):
        raise InputError(f"{model}: its images are not finite, the model has diverged; merge with smaller weights")
    names = [f"{seed:06d}.png" for seed in numbers]
    write_dataset(output, images[model], classes if network.label_dim else None, names)
    rolling.clear()
    print(f"{Path(output)}: {len(numbers)} images")
