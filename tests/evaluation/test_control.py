"""FIDs with the base model as control variate, against closed forms."""

import numpy as np
import pytest
from adaptive_neon.evaluation.control import control, controlled_fids_of_features
from adaptive_neon.evaluation.distances import Moments, frechet_distance, reference_statistics
from adaptive_neon.search.selection import search_metrics

K = 4


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def reference(rng):
    x = rng.normal(size=(500, 3)) * [1, 2, 0.5]
    return reference_statistics(x.mean(axis=0), np.cov(x.T))


def test_the_base_model_has_the_fid_of_all_its_images(rng, reference):
    base = rng.normal(size=(120, 3))
    found = controlled_fids_of_features(reference, base[:40], base, K)
    assert found.full == pytest.approx(frechet_distance(reference, Moments(base)))


def test_a_shift_of_the_base_model_is_known_as_well_as_the_base_model(rng, reference):
    """Two models that differ by a constant: what n images tell of the difference is exact."""
    base, shift = rng.normal(size=(120, 3)) + 5, np.array([0.3, -1, 2])
    found = controlled_fids_of_features(reference, base[:40] + shift, base, K)
    assert found.full == pytest.approx(frechet_distance(reference, Moments(base + shift)))


def test_each_replicate_leaves_out_a_share_of_both(rng, reference):
    """Of two models that differ by a constant, whose coefficients are 1 in all blocks."""
    base, shift = rng.normal(size=(120, 3)), np.array([0.3, -1, 2])
    found = controlled_fids_of_features(reference, base[:40] + shift, base, K)
    for block in range(K):
        kept = np.concatenate([base[:40][np.arange(40) // 10 != block], base[40:][np.arange(80) // 20 != block]])
        assert found.without[block] == pytest.approx(frechet_distance(reference, Moments(kept + shift)))


@pytest.mark.parametrize("rho", [0.9, 0.0])
def test_the_variance_of_the_mean_is_the_one_of_a_control_variate(rng, rho):
    """Var μ̂ = (1 − ρ²)/n + ρ²/N for variances of 1 and a correlation of ρ: with ρ = 0 nothing is lost."""
    n, more, dimension, blocks, repetitions = 100, 600, 16, 10, 400
    means = []
    for _ in range(repetitions):
        base = rng.normal(size=(more, dimension))
        own = rho * base[:n] + np.sqrt(1 - rho**2) * rng.normal(size=(n, dimension))
        same, further = np.split(base[:n], blocks), np.split(base[n:], blocks)
        whole = [np.concatenate(pair) for pair in zip(same, further, strict=True)]
        estimate = control(*([Moments(part) for part in parts] for parts in (np.split(own, blocks), same, whole)))
        means.append(estimate().mean)
    expected = (1 - rho**2) / n + rho**2 / more
    assert np.var(means) == pytest.approx(expected, rel=0.05)  # an estimated coefficient costs a little
    assert np.mean(means) == pytest.approx(0, abs=4 * np.sqrt(expected / (repetitions * dimension)))


def test_the_covariance_of_a_scaled_model_is_known_as_well_as_the_base_models(rng):
    """Of c·x the covariance and its error are c² times those of x, the mean and its error c times."""
    base, c = rng.normal(size=(120, 3)), 1.5
    same, further = np.split(base[:40], K), np.split(base[40:], K)
    whole = [np.concatenate(pair) for pair in zip(same, further, strict=True)]
    own = [c * part for part in same]
    found = control(*([Moments(part) for part in parts] for parts in (own, same, whole)))()
    assert found.covariance == pytest.approx(c**2 * np.cov(base.T))
    assert found.mean == pytest.approx(c * base.mean(axis=0))


def test_features_that_are_not_finite(rng, reference):
    base = rng.normal(size=(120, 3))
    assert controlled_fids_of_features(reference, np.full((40, 3), np.nan), base, K) is None


def test_a_search_chooses_by_the_corrected_controlled_fid():
    """Of f = a + b/n the jackknife over blocks leaves a, whatever b is."""
    plain = {"images": 40, "dimension": 3, "fid": 9.0, "without_block": {"fid": [9.0] * K}}
    assert search_metrics(plain) == plain
    a, b = 2.0, 30.0
    found = {"fid": a + b / 40, "without_block": {"fid": [a + b / 30] * K}}
    chosen = search_metrics(plain | {"controlled": found})
    assert chosen["fid"] == pytest.approx(a) and chosen["without_block"]["fid"] == pytest.approx([a] * K)
    assert chosen["images"] == 40
