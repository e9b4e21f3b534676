"""Inception's features and published statistics in the workflow, on a few images of one's own."""

import os
from pathlib import Path

import numpy as np
import pytest
from adaptive_neon.evaluation.inception import Inception
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.evaluation.references import write_statistics

from . import runner


@pytest.mark.skipif(
    "ADAPTIVE_NEON_TEST_DATA" not in os.environ,
    reason="ADAPTIVE_NEON_TEST_DATA is not set: a folder with default_1.pt and cifar-10-batches-py",
)
def test_the_reference_has_published_statistics_and_the_features_of_the_data(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    mean, covariance = rng.normal(size=2048), np.diag(rng.uniform(1, 2, 2048))
    write_statistics(tmp_path / "published.npz", mean, covariance)
    weights = Path(os.environ["ADAPTIVE_NEON_TEST_DATA"]) / "default_1.pt"
    features = {"extractor": "inception", "weights": str(weights), "reference": "published.npz"}
    config = {"data": {"source": "images.npz"}, "features": features, "run": {"device": "cpu"}}

    process = runner.run(tmp_path, config, "--quiet", "all", "--until", "reference")
    assert process.returncode == 0, process.stdout
    real = read_reference(tmp_path / "results/tiny/reference/inception.npz")
    np.testing.assert_array_equal(real.statistics.mean, mean)
    np.testing.assert_array_equal(real.statistics.covariance, covariance)
    assert real.labels.tolist() == [0] * 20  # no classes count as one
    np.testing.assert_allclose(
        real.manifold.features, Inception(weights, "inception")(images), rtol=1e-3, atol=1e-4
    )
