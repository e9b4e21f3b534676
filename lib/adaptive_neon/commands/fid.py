"""Measure the Fréchet inception distance between images and a reference.

Images are a folder or a zip of PNG files, a .npz or .npy of uint8 arrays [N, H, W, C], CIFAR-10's archive,
or the names cifar10 (its training set) and cifar10-test. The reference is images too, or the statistics of
images: a .npz with `mu` and `sigma`, as NVIDIA publishes them, `adaptive-neon reference` writes them, and a study
keeps them in results/EXPERIMENT/reference/.

Published figures of EDM and Neon are in the convention `inception`, with 50,000 images. FID depends on the number
of images; compare only figures with the same.

  adaptive-neon fid images.npz cifar10-32x32.npz
  adaptive-neon fid cifar10-test cifar10 --features inception-clean
"""

import argparse

from adaptive_neon.commands.options import add_features, extractor
from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", help="the images to measure")
    parser.add_argument("reference", help="what to measure them against: images, or the path of statistics")
    parser.add_argument("-n", "--number", type=int, help="measure only the first so many images")
    add_features(parser)


def run(images: str, reference: str, number: int | None, features: str, **where: str | None) -> None:
    if number is not None and number < 2:
        raise InputError(f"--number: {number}; a covariance takes at least 2 images")
    from tqdm import tqdm

    from adaptive_neon.data.datasets import NAMES, read_source
    from adaptive_neon.data.downloads import Source, fetch
    from adaptive_neon.evaluation.distances import Moments, frechet_distance, reference_statistics
    from adaptive_neon.evaluation.features import extract_features
    from adaptive_neon.evaluation.inception import DIMENSION
    from adaptive_neon.evaluation.references import holds_statistics, read_statistics

    if reference not in NAMES:
        reference = str(fetch([Source(reference)]))
    real = None if reference not in NAMES and holds_statistics(reference) else read_source(reference)[0]
    if real is None:
        mean, covariance = read_statistics(reference)
        if len(mean) != DIMENSION:
            raise InputError(f"{reference}: statistics of {len(mean)} features, not of Inception's {DIMENSION}")
    generated = read_source(images)[0][:number]
    for source, found in ((images, generated), (reference, real)):
        if found is not None and len(found) < 2:
            raise InputError(f"{source}: one image; a covariance takes at least 2")
    extract = extractor(features, **where)

    def moments(images, what: str) -> Moments:
        with tqdm(total=len(images), unit=" images", desc=what) as bar:
            return Moments(extract_features(extract, images, bar.update))

    if real is not None:
        of_real = moments(real, "reference")
        mean, covariance = of_real.mean, of_real.covariance
    distance = frechet_distance(reference_statistics(mean, covariance), moments(generated, "images"))
    say(f"FID {distance:.6g} ({features}, {len(generated)} images)")
