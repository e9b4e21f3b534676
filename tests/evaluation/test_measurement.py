import json

import numpy as np
import pytest
from adaptive_neon.evaluation import features
from adaptive_neon.evaluation.distances import Moments, frechet_distance, kernel_distance
from adaptive_neon.evaluation.manifolds import delete_one_block_overlaps
from adaptive_neon.evaluation.measurement import PRDC, measure, read_reference, reference_images, write_reference

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
def real():
    return reference_images(extract(random_images(150, seed=0)), np.arange(150) % 3, neighbours=3)


def fid(real, images):
    return frechet_distance(real.statistics, Moments(extract(images)))


def test_fid_and_its_replicates(images, real):
    """Each replicate is the FID of the images without one run of thirty seeds, up to the rounding of float32."""
    metrics = measure(extract, images, real, seed_blocks=4)
    assert metrics["fid"] == pytest.approx(fid(real, images), rel=1e-6)
    without = metrics["without_block"]["fid"]
    assert without == pytest.approx(
        [fid(real, np.delete(images, slice(30 * i, 30 * i + 30), axis=0)) for i in range(4)], rel=1e-6
    )
    assert len(set(without)) == 4


def test_shares_and_their_replicates(images, real):
    metrics = measure(extract, images, real, 4)
    full, without = delete_one_block_overlaps(real.manifold, extract(images), 4)
    for name in PRDC:
        assert metrics[name] == getattr(full, name)
        assert metrics["without_block"][name] == [getattr(overlap, name) for overlap in without]
        assert metrics[name] > 0
    assert metrics["precision"] < 1
    assert metrics["recall"] < 1


def test_variance_of_the_features_and_spread(images, real):
    """Relative to the real images'; the whole spread of pixels and features as NumPy tells it."""
    metrics = measure(extract, images, real, 4)
    total = np.trace(np.cov(extract(images).T)) / np.trace(real.statistics.covariance)
    assert metrics["variance"] == pytest.approx(total, rel=1e-5)
    without = np.trace(np.cov(extract(images[30:]).T)) / np.trace(real.statistics.covariance)
    assert metrics["without_block"]["variance"][0] == pytest.approx(without, rel=1e-5)
    assert metrics["spread"]["pixels"]["mean"] == pytest.approx(images.mean())
    assert metrics["spread"]["features"]["mean"] == pytest.approx(extract(images).mean(), rel=1e-5)


def test_recall_by_class(images, real):
    """The classes of the real images partition them: the recall is the mean over the classes."""
    metrics = measure(extract, images, real, 4)
    assert len(metrics["recall_by_class"]) == 3
    assert len(set(metrics["recall_by_class"])) > 1
    assert np.mean(metrics["recall_by_class"]) == pytest.approx(metrics["recall"])
    np.testing.assert_allclose(
        np.mean(metrics["without_block"]["recall_by_class"], axis=1), metrics["without_block"]["recall"]
    )


def test_kid_only_if_asked_for(images, real):
    assert "kid" not in measure(extract, images, real, 4)
    metrics = measure(extract, images, real, 4, kid_subsets=3, seed=5)
    expected = kernel_distance(real.manifold.features, extract(images), np.random.default_rng(5), 3)
    assert (metrics["kid"], metrics["kid_deviation"]) == expected


def test_real_images_are_perfect(real):
    metrics = measure(extract, random_images(150, seed=0), real, 5)
    assert metrics["fid"] == pytest.approx(0, abs=1e-5)
    assert (metrics["precision"], metrics["recall"], metrics["coverage"]) == (1, 1, 1)


@pytest.mark.parametrize("batch", [1, 7, 30, 1000])
def test_metrics_do_not_depend_on_the_batch(images, real, monkeypatch, batch):
    expected = measure(extract, images, real, 4)
    monkeypatch.setattr(features, "BATCH", batch)
    seen = []

    def recorded(part):
        seen.append(len(part))
        return extract(part)

    metrics = measure(recorded, images, real, 4)
    assert max(seen) <= batch
    assert sum(seen) == len(images)
    assert metrics["fid"] == pytest.approx(expected["fid"], rel=1e-6)
    assert metrics["recall"] == expected["recall"]


def test_metrics_are_plain_numbers(images, real):
    metrics = measure(extract, images, real, 4, kid_subsets=2)
    assert json.loads(json.dumps(metrics)) == metrics


def test_a_diverged_model_has_no_metrics(real):
    empty = np.empty((0, 4, 4, 1), np.uint8)
    assert measure(extract, empty, real, 4) == {"fid": None, "diverged": True}


def test_a_reference_comes_back(tmp_path, real):
    path = tmp_path / "reference" / "digits.npz"
    write_reference(path, real)
    back = read_reference(path)
    np.testing.assert_array_equal(back.labels, real.labels, strict=True)
    assert back.manifold.k == 3
    for part in ("statistics", "manifold"):
        for name, value in vars(getattr(real, part)).items():
            np.testing.assert_array_equal(getattr(getattr(back, part), name), value)
    doubles = real.manifold.features.astype(np.float64)
    np.testing.assert_allclose(back.statistics.mean, doubles.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(back.statistics.covariance, np.cov(doubles.T), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda good: None, id="missing"),
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: b"no numbers\n" * 50, id="text"),
        pytest.param(lambda good: good[:-100], id="truncated"),
    ],
)
def test_files_that_hold_no_reference(tmp_path, real, refuses, content):
    path = tmp_path / "digits.npz"
    write_reference(path, real)
    broken = content(path.read_bytes())
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    with refuses(path, "a reference"):
        read_reference(path)
