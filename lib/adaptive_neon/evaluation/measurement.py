"""Metrics of one set of generated images, as they stand in metrics.json; the reference's file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adaptive_neon.errors import InputError
from adaptive_neon.evaluation.control import controlled_fids_of_features
from adaptive_neon.evaluation.distances import (
    Moments,
    ReferenceStatistics,
    delete_one_block_fids_of_features,
    kernel_distance,
    reference_statistics,
)
from adaptive_neon.evaluation.features import Extractor, extract_features
from adaptive_neon.evaluation.inception_score import inception_score
from adaptive_neon.evaluation.manifolds import Manifold, Overlap, delete_one_block_overlaps, manifold_of
from adaptive_neon.evaluation.spread import delete_one_block_variances, spread
from adaptive_neon.jobs.files import write_arrays
from adaptive_neon.jobs.foreign import reading_arrays
from adaptive_neon.statistics.jackknife import JackknifeReplicates

PRDC = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class ReferenceImages:
    """What generated images are compared with: statistics, features with their neighbourhoods, classes [N]."""

    statistics: ReferenceStatistics
    manifold: Manifold
    labels: np.ndarray


def reference_images(
    features: np.ndarray,
    labels: np.ndarray | None,
    neighbours: int,
    published: tuple[np.ndarray, np.ndarray] | None = None,
) -> ReferenceImages:
    """Prepare the features [N, D] of the real images; k = `neighbours` ≥ 1.

    Without `labels` all images are of one class. FID is measured against the mean and covariance that are
    `published`, if they are given.
    """
    if published is None:
        moments = Moments(features)
        published = moments.mean, moments.covariance
    elif published[0].shape != features.shape[1:]:
        raise InputError(
            f"features.reference: statistics of {len(published[0])} features, but the extractor has "
            f"{features.shape[1]}; give those of the same features"
        )
    labels = np.zeros(len(features), np.int64) if labels is None else labels
    return ReferenceImages(reference_statistics(*published), manifold_of(features, neighbours), labels)


def write_reference(path: str | Path, real: ReferenceImages) -> None:
    """Write what `measure` needs of the real images; mean and covariance as in `references.read_statistics`."""
    statistics = {"mu": real.statistics.mean, "sigma": real.statistics.covariance, "root": real.statistics.root}
    write_arrays(path, {"labels": real.labels} | statistics | vars(real.manifold))


def read_reference(path: str | Path) -> ReferenceImages:
    """What `write_reference` wrote.

    Raises:
        InputError: not such a file.
    """
    with reading_arrays(path, "a reference", "remove it and make it again") as file:
        return ReferenceImages(
            ReferenceStatistics(file["mu"], file["sigma"], file["root"]),
            Manifold(file["features"], file["radii"], int(file["k"])),
            file["labels"],
        )


def write_features(path: str | Path, features: np.ndarray) -> None:
    """Write features [N, D]."""
    write_arrays(path, {"features": features})


def read_features(path: str | Path) -> np.ndarray:
    """What `write_features` wrote.

    Raises:
        InputError: not such a file.
    """
    with reading_arrays(path, "features", "remove it and make it again") as file:
        return file["features"]


def measure(
    extract: Extractor,
    images: np.ndarray,
    real: ReferenceImages,
    seed_blocks: int,
    kid_subsets: int = 0,
    seed: int = 0,
    output: np.ndarray | None = None,
    control: np.ndarray | None = None,
) -> dict:
    """All metrics of a set of images, and the same without each block of seeds.

    Args:
        images: uint8 [N, H, W, C] in the order of their seeds; empty if the model diverged.
        seed_blocks: K; N must be a multiple. Block i holds the i-th N/K seeds.
        kid_subsets: on how many random subsets KID is measured; 0 for no KID.
        seed: of the choice of the subsets.
        output: features → logits of classes [K, D], for the Inception score; None for none.
        control: features [M, D] of the base model, on the seeds of the images and further ones (see
            `control.controlled_fids_of_features`); None for none.

    Returns:
        `images`, `dimension` (of the features), `fid`, `precision`, `recall`, `density`, `coverage`, `variance`
        (tr Σ / tr Σ_r of the features), `recall_by_class` (in the order of the classes); in `without_block` a list
        of K for each metric; `spread` of the `pixels`, in [0, 255], and of the `features` (see `spread`); maybe
        `kid` and `kid_deviation`, which is over subsets; maybe `inception_score` and `inception_score_deviation`,
        which is over parts; maybe `controlled`, of which `fid` and `without_block`, FID with the base model as
        control variate. A model that diverged gives `fid` None and `diverged` True alone.
    """
    diverged = {"fid": None, "diverged": True}
    if not len(images):
        return diverged
    features = extract_features(extract, images)
    fids = delete_one_block_fids_of_features(real.statistics, features, seed_blocks)
    if fids is None:
        return diverged
    full, without = delete_one_block_overlaps(real.manifold, features, seed_blocks)
    shares = [_prdc(overlap, real.labels) for overlap in (full, *without)]
    metrics = {"images": len(images), "dimension": features.shape[1], "fid": fids.full} | shares[0]
    metrics["without_block"] = {"fid": fids.without.tolist()} | {
        name: [share[name] for share in shares[1:]] for name in shares[0]
    }
    real_variance = float(np.trace(real.statistics.covariance))
    variance, variances = delete_one_block_variances(features, seed_blocks)
    metrics["variance"] = variance / real_variance
    metrics["without_block"]["variance"] = [value / real_variance for value in variances]
    metrics["spread"] = {"pixels": spread(images), "features": spread(features)}
    if control is not None and len(control):
        fids = controlled_fids_of_features(real.statistics, features, control, seed_blocks)
        metrics["controlled"] = {"fid": fids.full, "without_block": {"fid": fids.without.tolist()}}
    if kid_subsets:
        rng = np.random.default_rng(seed)
        metrics["kid"], metrics["kid_deviation"] = kernel_distance(
            real.manifold.features, features, rng, kid_subsets
        )
    if output is not None:
        metrics["inception_score"], metrics["inception_score_deviation"] = inception_score(features @ output.T)
    return metrics


def jackknife_replicates(metrics: Mapping, name: str) -> JackknifeReplicates:
    """One metric of `measure` with its values without each block of seeds."""
    return JackknifeReplicates(metrics[name], np.array(metrics["without_block"][name]))


def _prdc(overlap: Overlap, labels: np.ndarray) -> dict:
    by_class = [float(overlap.recalled[labels == label].mean()) for label in np.unique(labels)]
    return {name: getattr(overlap, name) for name in PRDC} | {"recall_by_class": by_class}
