"""Metrics of one set of generated images, as they stand in metrics.json; the reference's file."""

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.files import replacing
from adaptive_neon.intervals import delete_one_block_fids
from adaptive_neon.metrics import Moments, Reference, manifold_of, overlap, reference_from

Extractor = Callable[[np.ndarray], np.ndarray]  # images uint8 [N, H, W, C] → features float32 [N, D]

BATCH = 500  # images whose features are in memory at a time


def write_reference(path: str | Path, features: np.ndarray) -> None:
    """Write the features [N, D] of the real images and their statistics."""
    moments = Moments(features)
    reference = reference_from(moments.mean, moments.covariance)
    with replacing(path) as temporary:
        np.savez(temporary, features=features, **vars(reference))


def read_reference(path: str | Path) -> tuple[Reference, np.ndarray]:
    """The statistics and the features that `write_reference` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return Reference(file["mean"], file["covariance"], file["root"]), file["features"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: not a readable reference ({error}); remove it and make it again") from None


def measure(
    extract: Extractor,
    images: np.ndarray,
    reference: Reference,
    seed_blocks: int,
    real_features: np.ndarray | None = None,
    neighbours: int = 5,
) -> dict:
    """FID with its jackknife replicates; precision and recall if `real_features` are given.

    Args:
        images: uint8 [N, H, W, C] in the order of their seeds; empty if the model diverged.
        seed_blocks: K; N must be a multiple. Block i holds the i-th N/K seeds.

    Returns:
        `fid`, `fid_without_block` [K], and maybe `precision`, `recall`. A model that diverged gives
        `fid` None and `diverged` True alone.
    """
    diverged = {"fid": None, "diverged": True}
    if not len(images):
        return diverged
    blocks, features = [], []
    for block in np.split(images, seed_blocks):
        blocks.append(Moments())
        for start in range(0, len(block), BATCH):
            batch = extract(block[start : start + BATCH])
            blocks[-1].update(batch)
            if real_features is not None:
                features.append(batch)
    fids = delete_one_block_fids(reference, blocks)
    if fids is None:
        return diverged
    metrics = {"fid": fids.full, "fid_without_block": [float(fid) for fid in fids.without]}
    if real_features is not None:
        overlapping = overlap(
            manifold_of(real_features, neighbours), manifold_of(np.concatenate(features), neighbours)
        )
        metrics |= {"precision": overlapping.precision, "recall": overlapping.recall}
    return metrics
