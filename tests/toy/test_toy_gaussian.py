import numpy as np
import pytest
import torch
from adaptive_neon.evaluation.distances import Moments, frechet_distance, reference_statistics
from adaptive_neon.toy.gaussian import COVARIANCE, moments, real_data, stream
from adaptive_neon.toy.gaussian import frechet_distance as distance_to_truth


@pytest.mark.parametrize(
    ("mean", "covariance", "expected"),
    [
        ([0, 0], [[2, 1], [1, 2]], 0),
        ([3, 4], [[2, 1], [1, 2]], 25),
        ([0, 0], [[8, 4], [4, 8]], 4),  # twice as wide: tr Σ (2 − 1)²
        ([0, 0], [[0, 0], [0, 0]], 4),  # a single point: tr Σ
        ([0, 0], [[1, 0], [0, 1]], 6 - 2 * (1 + np.sqrt(3))),  # tr (I + Σ) − 2 (√1 + √3)
    ],
)
def test_distance_of_known_gaussians(mean, covariance, expected):
    found = distance_to_truth(torch.tensor([mean]).double(), torch.tensor([covariance]).double())
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_distance_and_moments_agree_with_those_of_the_images():
    rng = np.random.default_rng(0)
    reference = reference_statistics(np.zeros(2), COVARIANCE.numpy())
    x = rng.standard_normal((5, 2, 40)) * [[[0.5], [2.0]]] + rng.standard_normal((5, 2, 1))
    mean, covariance = moments(torch.tensor(x.sum(-1)), torch.tensor(x @ x.swapaxes(1, 2)), 40)
    np.testing.assert_allclose(covariance, [np.cov(points) for points in x], rtol=1e-10)
    expected = [frechet_distance(reference, Moments(points.T)) for points in x]
    np.testing.assert_allclose(distance_to_truth(mean, covariance), expected, rtol=1e-10)


def test_real_data_has_the_true_moments():
    n = 400_000
    x = real_data(n, stream(0, "test")).double()
    error = 4 * np.sqrt(2 * 2 / n)  # four standard errors of a mean and, doubled, of a variance
    assert abs(x.mean(1)).max() < error
    assert abs(torch.cov(x) - COVARIANCE).max() < 2 * error


def test_streams_are_reproducible_and_differ_by_seed_and_purpose():
    first, again, seed, purpose = (
        torch.rand(4, generator=stream(*key)) for key in ((0, "a"), (0, "a"), (1, "a"), (0, "b"))
    )
    assert torch.equal(first, again)
    assert not torch.isclose(first, seed).any()
    assert not torch.isclose(first, purpose).any()
