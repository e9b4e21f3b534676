import numpy as np
import pytest
from adaptive_neon.evaluation.distances import (
    GramDistance,
    Moments,
    frechet_distance,
    frechet_distance_of_features,
    frechet_slope,
    kernel_distance,
    reference_statistics,
)
from scipy.linalg import sqrtm
from torchvision_shim import import_torchvision

import_torchvision()
import torch  # noqa: E402
from cleanfid import fid as cleanfid  # noqa: E402
from torch_fidelity.metric_kid import kid_features_to_metric  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def features(rng, n, dimension, decay=0.5):
    """Correlated features whose spectrum falls off, as those of a network do."""
    spectrum = np.arange(1, dimension + 1) ** -decay
    rotation = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    return (rng.standard_normal((n, dimension)) * spectrum) @ rotation + rng.standard_normal(dimension)


def exact(mean, covariance):
    """Moments with exactly this mean and covariance."""
    moments = Moments()
    moments.n, moments.mean, moments.scatter = 1001, np.asarray(mean, float), 1000 * np.asarray(covariance, float)
    return moments


# Moments


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_of_batches_are_those_of_numpy(rng, offset):
    x = features(rng, 500, 7) + offset
    moments = Moments()
    for batch in np.split(x, [1, 200, 450]):
        moments.update(batch)
    assert moments.n == 500
    np.testing.assert_allclose(moments.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(x.T), rtol=1e-9, atol=1e-10)


def test_moments_add_and_subtract(rng):
    x = features(rng, 300, 5)
    parts = [Moments(part) for part in np.split(x, [100, 150])]
    total = parts[0] + parts[1] + parts[2]
    np.testing.assert_allclose(total.covariance, np.cov(x.T), rtol=1e-12, atol=1e-14)
    rest = total - parts[1]
    without = np.delete(x, slice(100, 150), axis=0)
    assert rest.n == 250
    np.testing.assert_allclose(rest.mean, without.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(rest.covariance, np.cov(without.T), rtol=1e-11, atol=1e-13)


def test_moments_of_float32_features_are_summed_in_float64(rng):
    x = (features(rng, 20000, 3) + 100).astype(np.float32)
    np.testing.assert_allclose(Moments(x).covariance, np.cov(x.T.astype(np.float64)), rtol=1e-11, atol=1e-13)


# Fréchet distance


@pytest.mark.parametrize("mean, variance, expected", [(3.0, 4.0, 5.0), (0.0, 0.0, 9.0), (-1.0, 9.0, 1.0)])
def test_frechet_distance_in_one_dimension(mean, variance, expected):
    """Of N(0, 3²) and N(m, s²): m² + (3 − s)². Zero variance is the rank-deficient case."""
    expected = mean**2 + (3 - variance**0.5) ** 2
    reference = reference_statistics(np.zeros(1), np.array([[9.0]]))
    assert frechet_distance(reference, exact([mean], [[variance]])) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dead", [0, 3])
def test_frechet_distance_of_commuting_covariances(rng, dead):
    """Σ (√λ − √λ_r)² + |μ − μ_r|² in any basis, also if either set doesn't vary in some directions."""
    real, generated = rng.uniform(0.1, 2, (2, 10))
    real[:dead] = 0
    generated[dead : 2 * dead] = 0
    basis = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    means = rng.standard_normal((2, 10))
    reference = reference_statistics(means[0], basis * real @ basis.T)
    expected = ((means[0] - means[1]) ** 2).sum() + ((np.sqrt(real) - np.sqrt(generated)) ** 2).sum()
    distance = frechet_distance(reference, exact(means[1], basis * generated @ basis.T))
    assert distance == pytest.approx(expected, rel=1e-6 if dead else 1e-12)


def test_frechet_distance_to_itself_is_zero(rng):
    moments = Moments(features(rng, 400, 64))
    distance = frechet_distance(reference_statistics(moments.mean, moments.covariance), moments)
    assert distance == pytest.approx(0, abs=1e-12 * np.trace(moments.covariance))


@pytest.mark.parametrize("n", [100, 256, 257, 1000])
def test_frechet_distance_agrees_with_cleanfid(rng, n):
    real, generated = features(rng, 2000, 256), features(rng, n, 256)
    means = real.mean(axis=0), generated.mean(axis=0)
    expected = cleanfid.frechet_distance(means[1], np.cov(generated.T), means[0], np.cov(real.T))
    reference = reference_statistics(means[0], np.cov(real.T))
    # clean-fid's square root of a singular product is exact to about 1e-7 of its trace
    assert frechet_distance_of_features(reference, generated) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(reference, Moments(generated)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n, real_n", [(40, 300), (300, 40), (30, 40), (41, 40)])
def test_frechet_distance_with_fewer_images_than_features(rng, n, real_n):
    """Against tr (Σ Σ_r)^½ as the nuclear norm of X·X_rᵀ, which takes no root of a small eigenvalue."""
    real, generated = features(rng, real_n, 100), features(rng, n, 100)
    x, y = [(f - f.mean(axis=0)) / np.sqrt(len(f) - 1) for f in (real, generated)]
    root = np.linalg.svd(y @ x.T, compute_uv=False).sum()
    step = real.mean(axis=0) - generated.mean(axis=0)
    expected = step @ step + (x**2).sum() + (y**2).sum() - 2 * root
    reference = reference_statistics(real.mean(axis=0), np.cov(real.T))
    assert frechet_distance_of_features(reference, generated) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(reference, Moments(generated)) == pytest.approx(expected, rel=1e-10)


def test_gram_distance_of_a_part_is_that_of_its_images(rng):
    reference = reference_statistics(np.zeros(100), np.cov(features(rng, 500, 100).T))
    generated = features(rng, 60, 100)
    part = rng.random(60) < 0.7
    expected = frechet_distance(reference, Moments(generated[part]))
    assert GramDistance(reference, generated)(part) == pytest.approx(expected, rel=1e-11)


def test_reference_root_is_a_triangular_square_root(rng):
    covariance = np.cov(features(rng, 20, 30).T)
    root = reference_statistics(np.zeros(30), covariance).root
    assert root.shape == (30, 19)
    np.testing.assert_array_equal(np.triu(root, 1), 0)
    np.testing.assert_allclose(root @ root.T, covariance, atol=1e-13)
    square = reference_statistics(np.zeros(30), covariance + np.eye(30)).root
    np.testing.assert_allclose(
        np.linalg.svd(square, compute_uv=False),
        np.linalg.eigvalsh(sqrtm(covariance + np.eye(30)))[::-1],
        rtol=1e-10,
    )


@pytest.mark.parametrize("n", [10, 100])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_have_no_distance(rng, n, bad):
    generated = features(rng, n, 20)
    generated[3, 2] = bad
    reference = reference_statistics(np.zeros(20), np.eye(20))
    with np.errstate(invalid="ignore"):
        assert frechet_distance_of_features(reference, generated) is None


# KID


def test_kernel_distance_is_the_unbiased_mmd(rng):
    """One subset of everything, against the double sum of the paper."""
    x, y = features(rng, 12, 4), features(rng, 12, 4)
    kernel = lambda a, b: (a @ b / 4 + 1) ** 3  # noqa: E731
    pairs = [(i, j) for i in range(12) for j in range(12)]
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs if i != j) / (12 * 11)
    between = sum(kernel(x[i], y[j]) for i, j in pairs) / 12**2
    mean, deviation = kernel_distance(x, y, rng, subsets=3)
    assert mean == pytest.approx(within - 2 * between, rel=1e-10)
    assert deviation == pytest.approx(0, abs=1e-12)


def test_kernel_distance_agrees_with_cleanfid_on_the_same_subsets(rng, monkeypatch):
    real, generated = features(rng, 400, 32), features(rng, 300, 32) + 0.1
    ours = np.random.default_rng(1)
    theirs = np.random.default_rng(1)
    monkeypatch.setattr(np.random, "choice", theirs.choice)  # clean-fid draws from its second set first
    expected = cleanfid.kernel_distance(generated, real, num_subsets=5, max_subset_size=100)
    mean, _ = kernel_distance(real, generated, ours, subsets=5, subset_size=100)
    assert mean == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_agrees_with_torch_fidelity_on_the_same_subsets(rng):
    """Mean and deviation over the subsets; torch-fidelity draws from its first set first."""
    real, generated = features(rng, 400, 32), features(rng, 300, 32) + 0.1
    settings = {"kid_subsets": 5, "kid_subset_size": 100, "rng_seed": 3, "verbose": False}
    expected = kid_features_to_metric(torch.from_numpy(real), torch.from_numpy(generated), **settings)
    found = kernel_distance(real, generated, np.random.RandomState(3), subsets=5, subset_size=100)
    assert found == pytest.approx(tuple(expected.values()), rel=1e-9)


def test_kernel_distance_of_float32_features(rng):
    real, generated = features(rng, 500, 512), features(rng, 500, 512)
    exact_mean, _ = kernel_distance(real, generated, rng, subsets=1)
    mean, _ = kernel_distance(real.astype(np.float32), generated.astype(np.float32), rng, subsets=1)
    assert mean == pytest.approx(exact_mean, rel=1e-4)


@pytest.mark.parametrize("present", [6, 4])
def test_the_slope_is_that_of_differences(rng, present):
    """Also where neither set of images varies in some directions; there the root has no slope."""
    real, generated = np.zeros((2, 50, 6))
    real[:, :present], generated[:, :present] = features(rng, 50, present), features(rng, 50, present)
    reference, moments = reference_statistics(real.mean(axis=0), np.cov(real.T)), Moments(generated)
    by_mean, by_covariance = frechet_slope(reference, moments)
    for _ in range(3):
        step = np.zeros((7, 6))
        step[:, :present] = rng.standard_normal((7, present)) * 1e-5
        mean, covariance = step[0], step[1:] + step[1:].T
        covariance[present:] = 0
        up, down = (
            frechet_distance(reference, exact(moments.mean + sign * mean, moments.covariance + sign * covariance))
            for sign in (1, -1)
        )
        slope = by_mean @ mean + (by_covariance * covariance).sum()
        assert 2 * slope == pytest.approx(up - down, rel=1e-5)
