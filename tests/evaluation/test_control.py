"""FIDs with the base model as control variate, against closed forms."""

import numpy as np
import pytest
from adaptive_neon.evaluation.control import controlled, controlled_fids
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
    found = controlled_fids(reference, base[:40], base, K)
    assert found.full == pytest.approx(frechet_distance(reference, Moments(base)))


def test_a_shift_of_the_base_model_is_known_as_well_as_the_base_model(rng, reference):
    """Two models that differ by a constant: what n images tell of the difference is exact."""
    base, shift = rng.normal(size=(120, 3)) + 5, np.array([0.3, -1, 2])
    found = controlled_fids(reference, base[:40] + shift, base, K)
    assert found.full == pytest.approx(frechet_distance(reference, Moments(base + shift)))


def test_each_replicate_leaves_out_a_share_of_both(rng, reference):
    base = rng.normal(size=(120, 3))
    own = base[:40] * 1.1 + 0.2 * rng.normal(size=(40, 3))
    found = controlled_fids(reference, own, base, K)
    for block in range(K):
        of_model = np.arange(40) // 10 != block
        kept = np.concatenate([base[:40][of_model], base[40:][np.arange(80) // 20 != block]])
        expected = controlled_fids(reference, own[of_model], kept, K - 1)
        assert found.without[block] == pytest.approx(expected.full)


def test_the_variance_of_the_mean_is_the_one_of_a_control_variate(rng):
    """Var(μ_n + β_N − β_n) = 2(1 − ρ)/n + 1/N − 2(1 − ρ)/N for variances of 1 and a correlation of ρ."""
    n, more, rho, repetitions = 20, 120, 0.9, 4000
    means = []
    for _ in range(repetitions):
        base = rng.normal(size=(more, 1))
        own = rho * base[:n] + np.sqrt(1 - rho**2) * rng.normal(size=(n, 1))
        means.append(controlled(*map(Moments, (own, base[:n], base))).mean[0])
    expected = 2 * (1 - rho) / n + 1 / more - 2 * (1 - rho) / more
    assert np.var(means) == pytest.approx(expected, rel=4 * np.sqrt(2 / repetitions))
    assert np.mean(means) == pytest.approx(0, abs=4 * np.sqrt(expected / repetitions))


def test_features_that_are_not_finite(rng, reference):
    base = rng.normal(size=(120, 3))
    assert controlled_fids(reference, np.full((40, 3), np.nan), base, K) is None


def test_a_search_chooses_by_the_corrected_controlled_fid():
    """Of f = a + b/n the jackknife over blocks leaves a, whatever b is."""
    plain = {"images": 40, "dimension": 3, "fid": 9.0, "without_block": {"fid": [9.0] * K}}
    assert search_metrics(plain) == plain
    a, b = 2.0, 30.0
    found = {"fid": a + b / 40, "without_block": {"fid": [a + b / 30] * K}}
    chosen = search_metrics(plain | {"controlled": found})
    assert chosen["fid"] == pytest.approx(a) and chosen["without_block"]["fid"] == pytest.approx([a] * K)
    assert chosen["images"] == 40
