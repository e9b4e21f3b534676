import numpy as np
import pytest
from adaptive_neon.collapse import metrics
from adaptive_neon.collapse.models.gaussian import Normal
from scipy.stats import norm, wasserstein_distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def gaussians(mean, covariance):
    return Normal(np.array([mean], dtype=float), np.array([covariance], dtype=float))


def test_mean_and_its_error():
    assert metrics.mean(np.array([1.0, 3.0])) == (2.0, 1.0)
    assert metrics.share(np.array([False] * 98)).error > 0
    low, high = metrics.interval_of_share(95, 100)
    assert (low, high) == pytest.approx((0.8882, 0.9785), abs=1e-4)  # Wilson's, as published calculators give it


def test_variance_over_seeds_is_unbiased():
    values = np.array([1.0, 2.0, 6.0])
    assert metrics.variance_over_seeds(values).value == pytest.approx(np.var(values, ddof=1))


def test_wasserstein_between_gaussians():
    a, b = gaussians([0], [[4]]), gaussians([3], [[1]])
    assert metrics.wasserstein(a, b) == pytest.approx([9 + 1])
    a, b = gaussians([0, 0], [[2, 1], [1, 2]]), gaussians([1, 0], [[3, 0], [0, 1]])
    swapped = metrics.wasserstein(b, a)
    assert metrics.wasserstein(a, b) == pytest.approx(swapped)
    assert metrics.wasserstein(a, a) == pytest.approx([0], abs=1e-12)


def test_wasserstein_of_samples_is_scipys(rng):
    x, y = rng.standard_normal(50), 2 + 3 * rng.standard_normal(50)
    assert metrics.wasserstein_of_samples(x, y) == pytest.approx(wasserstein_distance(x, y))


def test_norms_of_a_covariance():
    norms = metrics.covariance_norms(np.array([[[2.0, 1.0], [1.0, 2.0]]]))
    found = {name: float(value[0]) for name, value in norms.items()}
    assert found == pytest.approx({"trace": 4, "log determinant": np.log(3), "Frobenius norm": 10**0.5})


def test_coverage_and_diversity():
    shares = np.array([[0.5, 0.5, 0.0, 0.0]])
    assert metrics.class_coverage(shares) == [0.5]
    assert metrics.diversity(shares) == [0.5]
    points, modes = np.array([[0.1, 0.2, 9.0]]), np.array([0.0, 5.0, 10.0])
    assert metrics.mode_coverage(points, modes, 0.5) == pytest.approx([2 / 3])


def test_variance_within_and_between_add_up(rng):
    labels = rng.integers(0, 3, 200)
    points = 4.0 * labels + rng.standard_normal(200)
    within, between = metrics.within_and_between(points, labels)
    assert within + between == pytest.approx(points.var())
    assert metrics.within_and_between(np.array([0.0, 2.0]), np.array([7, 7])) == (1.0, 0.0)


def test_a_shift_is_detected_at_the_level_of_the_test(rng):
    same = [metrics.shift_is_detected(rng.standard_normal(50), rng.standard_normal(50)) for _ in range(400)]
    assert np.mean(same) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert metrics.shift_is_detected(rng.standard_normal(200), 2 + rng.standard_normal(200))


def test_held_out_loss_is_the_cross_entropy():
    model, truth = gaussians([1], [[2]]), gaussians([0], [[3]])
    x = norm(0, 3**0.5).rvs(400_000, random_state=0)
    losses = -norm(1, 2**0.5).logpdf(x)
    error = losses.std() / len(x) ** 0.5
    assert abs(metrics.held_out_loss(model, truth)[0] - losses.mean()) < 4 * error


def test_error_is_bias_and_variance(rng):
    found = metrics.bias_and_variance(1 + rng.standard_normal(100), 0.5)
    assert found.error == pytest.approx(found.bias_squared + found.variance)


def test_stability_is_what_a_disturbance_leaves():
    one = np.array([[1.0, 2.0], [0.5, 1.5]])
    other = np.array([[0.0, 0.0], [0.0, 0.5]])
    np.testing.assert_allclose(metrics.stability(one, other), [[1, 1], [0.5, 0.5]])


def test_excess_error():
    zeta = metrics.excess_error(np.array([3.0, 5.0]), np.array([1.0, 1.0]))
    assert zeta == pytest.approx((3.0, 1.0))
