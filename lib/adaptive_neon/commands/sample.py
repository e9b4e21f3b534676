"""Draw images from a model, one image per seed.

A seed gives the same image in any batch and on any machine, up to rounding, and for a network with classes also
its class. A killed command continues where it was.

  adaptive-neon sample C.safetensors --seeds 0-63 -o images/        a folder of PNG files, or
  adaptive-neon sample C.safetensors --seeds 0-49999 -o images.npz  one file for `adaptive-neon fid`

Without --sampler the model is drawn from as in the study that made it, or with the default settings of its family.
"""

import argparse
from pathlib import Path

from adaptive_neon.commands.options import add_device, add_model, add_prompts, parse_sampler, parse_seeds
from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError

LARGEST_BATCH = 10_000


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
        "--sampler",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the sampler, such as steps=40 (EDM: 18 on CIFAR-10, 40 on FFHQ and AFHQv2)",
    )
    parser.add_argument(
        "--class", dest="label", type=int, metavar="K", help="draw this class alone; default: by the seed"
    )
    parser.add_argument(
        "--codec",
        metavar="FILE",
        help="the autoencoder or tokenizer of a model that draws latents or tokens; "
        "default: the codec.safetensors beside the model",
    )
    add_prompts(parser)
    parser.add_argument("--batch", type=int, help="images at a time (default: as many as the device likes)")
    add_device(parser, precision="auto")


def run(
    model: str,
    seeds: str,
    output: str,
    batch: int | None,
    device: str,
    precision: str,
    sampler: list[str],
    label: int | None,
    codec: str | None,
    prompts: str | None,
) -> None:
    numbers = parse_seeds(seeds)
    if batch is not None and not 1 <= batch <= LARGEST_BATCH:
        raise InputError(f"--batch: {batch}; it must be between 1 and {LARGEST_BATCH}")
    from tqdm import tqdm

    from adaptive_neon.data.datasets import check_new, write_dataset
    from adaptive_neon.data.drawn import DrawnImages
    from adaptive_neon.families import family_of
    from adaptive_neon.families.batches import batch_size
    from adaptive_neon.families.loading import load, load_codec
    from adaptive_neon.jobs.device import pick_device, pick_precision
    from adaptive_neon.jobs.rolling import fingerprint
    from adaptive_neon.models.imported import find_codec, read_codec, read_model

    check_new(output)
    where = pick_device(device)
    checkpoint = read_model(model, prompts)
    settings = parse_sampler(sampler, checkpoint)
    network = load(checkpoint).to(where)
    files = find_codec(model, codec, checkpoint.architecture)
    decoder = load_codec(files, checkpoint.architecture, where, read_codec)
    if label is not None and not 0 <= label < network.label_dim:
        raise InputError(f"--class: {label}, but the model has {network.label_dim} classes; count from 0")
    batch = batch or batch_size(where.type, network.img_resolution)
    dtype = pick_precision(precision, where)
    family = family_of(checkpoint.architecture)

    asked = [numbers, settings, label, batch, str(where), precision, checkpoint.metadata["sha256"]]
    drawn = DrawnImages(output, fingerprint(asked, []), len(numbers), batch)
    with tqdm(total=len(numbers), initial=drawn.count, unit=" images", desc="sampling") as bar:
        for start in range(drawn.count, len(numbers), batch):
            part = numbers[start : start + batch]
            classes = None if label is None else [label] * len(part)
            images, classes = family.draw(network, part, settings, classes, dtype, **decoder)
            if not len(images):
                raise InputError(
                    f"{model}: its images are not finite; its training diverged, or it was merged with too large "
                    "weights"
                )
            drawn.append(images.numpy(), classes.numpy())
            bar.update(len(part))
    images, classes = drawn.arrays()
    names = [f"{seed:06d}.png" for seed in numbers]
    write_dataset(output, images, classes if network.label_dim else None, names)
    drawn.clear()
    say(f"{Path(output)}: {len(numbers)} images")
