"""Measure the Fréchet inception distance between images and a reference.

Images are a folder or a zip of PNG files, a .npz or .npy of uint8 arrays [N, H, W, C], CIFAR-10's archive,
or the names cifar10 (its training set) and cifar10-test. The reference is images too, or the statistics of
images: a .npz with `mu` and `sigma`, as NVIDIA publishes them.

Published figures of EDM and Neon are in the convention `inception`, with 50,000 images. FID depends on the number
of images; compare only figures with the same.

  adaptive-neon fid images.npz cifar10-32x32.npz
  adaptive-neon fid cifar10-test cifar10 --features inception-clean
"""

import argparse

from adaptive_neon.commands.options import add_device
from adaptive_neon.errors import InputError

BATCH = 200  # images between two movements of the bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", help="the images to measure")
    parser.add_argument("reference", help="what to measure them against: images, or the path of statistics")
    parser.add_argument(
        "--features",
        default="inception",
        choices=["inception", "inception-clean"],
        help="how images are resized: as in the first FID, or as in clean-fid (default: %(default)s)",
    )
    parser.add_argument(
        "--inception",
        metavar="FILE",
        help="the network's weights, inception-2015-12-05.pt; without it they are fetched once, and kept",
    )
    parser.add_argument("-n", "--number", type=int, help="measure only the first so many images")
    add_device(parser, precision="float32")


def run(
    images: str,
    reference: str,
    features: str,
    inception: str | None,
    number: int | None,
    device: str,
    precision: str,
) -> None:
    from tqdm import tqdm

    from adaptive_neon.datasets import read_source
    from adaptive_neon.device import pick_device, pick_precision
    from adaptive_neon.inception import DIMENSION, Inception, weights_file
    from adaptive_neon.metrics import Moments, frechet_distance, reference_from
    from adaptive_neon.references import holds_statistics, read_statistics

    statistics = holds_statistics(reference)
    real = None if statistics else read_source(reference)[0]
    generated = read_source(images)[0][:number]
    if len(generated) < 2:
        raise InputError(f"{images}: one image; a covariance takes at least 2")
    where = pick_device(device)
    extract = Inception(weights_file(inception), features, where, pick_precision(precision, where))

    def moments(images, what: str) -> Moments:
        total = Moments()
        with tqdm(total=len(images), unit=" images", desc=what) as bar:
            for start in range(0, len(images), BATCH):
                batch = images[start : start + BATCH]
                total.update(extract(batch))
                bar.update(len(batch))
        return total

    if statistics:
        mean, covariance = read_statistics(reference)
        if len(mean) != DIMENSION:
            raise InputError(f"{reference}: statistics of {len(mean)} features, not of Inception's {DIMENSION}")
    else:
        of_real = moments(real, "reference")
        mean, covariance = of_real.mean, of_real.covariance
    distance = frechet_distance(reference_from(mean, covariance), moments(generated, "images"))
    print(f"FID {distance:.6g} ({features}, {len(generated)} images)")
