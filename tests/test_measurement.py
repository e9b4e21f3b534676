import json

import numpy as np
import pytest
from adaptive_neon import measurement
from adaptive_neon.measurement import measure, read_reference, write_reference
from adaptive_neon.metrics import Moments, frechet_distance, manifold_of, overlap, reference_from

DIMENSION = 12


def extract(images):
    """Features of 4×4 images: a fixed random layer."""
    layer = np.random.default_rng(7).standard_normal((16, DIMENSION)).astype(np.float32)
    return np.maximum(images.reshape(len(images), -1) / np.float32(255) @ layer, 0)


def random_images(n, seed, high=256):
    return np.random.default_rng(seed).integers(0, high, (n, 4, 4, 1), dtype=np.uint8)


@pytest.fixture
def images():
    return random_images(120, seed=1, high=220)


@pytest.fixture
def real_features():
    return extract(random_images(150, seed=0))


@pytest.fixture
def reference(real_features):
    return reference_from(real_features.mean(0, dtype=np.float64), np.cov(real_features.T.astype(np.float64)))


def fid(reference, images):
    return frechet_distance(reference, Moments(extract(images)))


def test_fid_and_its_replicates(images, reference):
    """Each replicate is the FID of the images without one run of thirty seeds."""
    metrics = measure(extract, images, reference, seed_blocks=4)
    assert metrics.keys() == {"fid", "fid_without_block"}
    assert metrics["fid"] == pytest.approx(fid(reference, images), rel=1e-9)
    assert metrics["fid_without_block"] == pytest.approx(
        [fid(reference, np.delete(images, slice(30 * i, 30 * i + 30), axis=0)) for i in range(4)], rel=1e-9
    )
    assert len(set(metrics["fid_without_block"])) == 4


def test_precision_and_recall(images, reference, real_features):
    metrics = measure(extract, images, reference, 4, real_features, neighbours=3)
    expected = overlap(manifold_of(real_features, 3), manifold_of(extract(images), 3))
    assert (metrics["precision"], metrics["recall"]) == (expected.precision, expected.recall)
    assert 0 < metrics["precision"] < 1
    assert 0 < metrics["recall"] < 1


def test_real_images_are_perfect(reference, real_features):
    metrics = measure(extract, random_images(150, seed=0), reference, 5, real_features)
    assert metrics["fid"] == pytest.approx(0, abs=1e-5)
    assert (metrics["precision"], metrics["recall"]) == (1, 1)


@pytest.mark.parametrize("batch", [1, 7, 30, 1000])
def test_metrics_do_not_depend_on_the_batch(images, reference, real_features, monkeypatch, batch):
    expected = measure(extract, images, reference, 4, real_features)
    monkeypatch.setattr(measurement, "BATCH", batch)
    seen = []

    def recorded(part):
        seen.append(len(part))
        return extract(part)

    metrics = measure(recorded, images, reference, 4, real_features)
    assert max(seen) <= batch
    assert sum(seen) == len(images)
    for key, value in expected.items():
        assert metrics[key] == pytest.approx(value, rel=1e-6), key


def test_metrics_are_plain_numbers(images, reference, real_features):
    metrics = measure(extract, images, reference, 4, real_features)
    assert json.loads(json.dumps(metrics)) == metrics


def test_a_diverged_model_has_no_metrics(reference, real_features):
    empty = np.empty((0, 4, 4, 1), np.uint8)
    assert measure(extract, empty, reference, 4, real_features) == {"fid": None, "diverged": True}


def test_a_reference_comes_back(tmp_path, real_features):
    path = tmp_path / "reference" / "digits.npz"
    write_reference(path, real_features)
    reference, features = read_reference(path)
    np.testing.assert_array_equal(features, real_features, strict=True)
    doubles = real_features.astype(np.float64)
    np.testing.assert_allclose(reference.mean, doubles.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(reference.covariance, np.cov(doubles.T), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(reference.root @ reference.root.T, np.cov(doubles.T), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda good: None, id="missing"),
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: b"no numbers\n" * 50, id="text"),
        pytest.param(lambda good: good[:-100], id="truncated"),
    ],
)
def test_files_that_hold_no_reference(tmp_path, real_features, refuses, content):
    path = tmp_path / "digits.npz"
    write_reference(path, real_features)
    broken = content(path.read_bytes())
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    with refuses(path, "not a readable reference"):
        read_reference(path)
