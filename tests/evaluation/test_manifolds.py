import numpy as np
import pytest
from adaptive_neon.evaluation.manifolds import delete_one_block_overlaps, manifold_of, nearest
from prdc import compute_prdc
from scipy.spatial.distance import cdist
from torchvision_shim import import_torchvision

import_torchvision()
import torch  # noqa: E402
from torch_fidelity.metric_prc import prc_features_to_metric  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def features(rng, n, dimension):
    """Features whose spectrum falls off, as those of a network do."""
    return rng.standard_normal((n, dimension)) * np.arange(1, dimension + 1) ** -0.5


def prdc(real, generated, k):
    """The definitions of Kynkäänniemi et al. 2019 and Naeem et al. 2020, image by image, on whole matrices."""
    real_radius = np.sort(cdist(real, real), axis=1)[:, k]
    generated_radius = np.sort(cdist(generated, generated), axis=1)[:, k]
    distances = cdist(real, generated)
    return {
        "precision": np.mean([(distances[:, j] < real_radius).any() for j in range(len(generated))]),
        "recall": np.mean([(distances[i] < generated_radius).any() for i in range(len(real))]),
        "density": sum((distances[i] < real_radius[i]).sum() for i in range(len(real))) / (k * len(generated)),
        "coverage": np.mean([distances[i].min() < real_radius[i] for i in range(len(real))]),
    }


NAMES = "precision", "recall", "density", "coverage"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5])
def test_overlaps_with_and_without_each_block_follow_the_definitions(rng, dtype, k, monkeypatch):
    monkeypatch.setattr(
        "adaptive_neon.evaluation.manifolds.BLOCK_ENTRIES", 1000
    )  # many blocks, the last one shorter
    both = features(rng, 357, 8)
    real, generated = both[:207].astype(dtype), (both[207:] * 0.7).astype(dtype)
    full, without = delete_one_block_overlaps(manifold_of(real, k), generated, 5)
    left = [np.delete(generated, slice(30 * i, 30 * i + 30), axis=0) for i in range(5)]
    for result, images in zip([full, *without], [generated, *left], strict=True):
        expected = prdc(real, images, k)
        assert 0.1 < expected["recall"] < 0.95
        for name in NAMES:
            assert getattr(result, name) == pytest.approx(expected[name], rel=1e-12), name


def test_blocks_smaller_than_the_neighbourhood(rng):
    real, generated = features(rng, 50, 4), features(rng, 12, 4)
    full, without = delete_one_block_overlaps(manifold_of(real), generated, 6)
    for result, images in ((full, generated), (without[2], np.delete(generated, (4, 5), axis=0))):
        expected = prdc(real, images, 5)
        assert [getattr(result, name) for name in NAMES] == pytest.approx([expected[name] for name in NAMES])


def test_overlap_agrees_with_the_prdc_package(rng):
    real, generated = features(rng, 200, 8), features(rng, 150, 8)
    expected = compute_prdc(real, generated, nearest_k=5)
    result, _ = delete_one_block_overlaps(manifold_of(real), generated, 10)
    for name in NAMES:
        assert getattr(result, name) == pytest.approx(expected[name], rel=1e-12), name


def test_overlap_agrees_with_torch_fidelity(rng):
    real, generated = features(rng, 200, 8), features(rng, 150, 8)
    arguments = torch.from_numpy(generated), torch.from_numpy(real)
    expected = prc_features_to_metric(*arguments, prc_neighborhood=5, save_cpu_ram=False, verbose=False)
    result, _ = delete_one_block_overlaps(manifold_of(real), generated, 10)
    found = [result.precision, result.recall]
    assert found == pytest.approx([expected["precision"], expected["recall"]], rel=1e-6)


def test_recall_by_class():
    """Two classes on a line; only the first is generated."""
    real = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [102.0]])
    result, _ = delete_one_block_overlaps(manifold_of(real, k=1), np.array([[0.4], [1.4], [2.4]]), 3)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert [result.recalled[labels == c].mean() for c in (0, 1)] == [1, 0]
    assert [result.covered[labels == c].mean() for c in (0, 1)] == [1, 0]


def test_nearest_finds_copies_and_neighbours(rng):
    real = features(rng, 300, 16).astype(np.float32)
    queries = np.concatenate([real[[7]], features(rng, 5, 16).astype(np.float32)])
    indices, distances = nearest(queries, real, k=3)
    expected = cdist(queries, real)
    np.testing.assert_array_equal(indices, np.argsort(expected, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :3], rtol=1e-5)
    assert indices[0, 0] == 7
    assert distances[0, 0] == 0
