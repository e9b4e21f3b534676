"""Compute the statistics of real images that FID is measured against.

Images are what `adaptive-neon fid` takes. The result is a .npz with `mu` and `sigma`, as NVIDIA publishes them. A
command that was killed continues where it was.

  adaptive-neon reference cifar10 -o cifar10.npz
"""

import argparse
import hashlib

from adaptive_neon.commands.options import add_features, extractor
from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError

MINUTES = 5  # between two states to continue from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", help="the real images")
    parser.add_argument("-o", "--output", required=True, help="the .npz to write")
    add_features(parser)


def run(images: str, output: str, **where: str | None) -> None:
    from adaptive_neon.jobs.files import check_output

    check_output(output, ".npz", reads=[images])
    from tqdm import tqdm

    from adaptive_neon.data.datasets import read_source
    from adaptive_neon.evaluation.distances import Moments
    from adaptive_neon.evaluation.features import extract_features
    from adaptive_neon.evaluation.references import write_statistics
    from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint

    real = read_source(images)[0]
    if len(real) < 2:
        raise InputError(f"{images}: one image; a covariance takes at least 2")
    digest = hashlib.sha256(real).hexdigest()
    rolling = RollingCheckpoint(output, fingerprint([where, real.shape, digest], []), MINUTES)
    with tqdm(total=len(real), unit=" images") as bar:
        moments = Moments(extract_features(extractor(**where), real, bar.update, rolling))
    write_statistics(output, moments.mean, moments.covariance)
    rolling.clear()
    say(f"{output}: mean and covariance of {len(real)} images")
    if len(real) <= len(moments.mean):
        say(f"of little use: {len(real)} images leave the covariance of {len(moments.mean)} features singular")
