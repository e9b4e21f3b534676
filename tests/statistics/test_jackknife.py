import numpy as np
import pytest
from adaptive_neon.evaluation.distances import (
    Moments,
    delete_one_block_fids,
    delete_one_block_fids_of_features,
    frechet_distance,
    reference_statistics,
)
from adaptive_neon.statistics.jackknife import (
    Interval,
    JackknifeReplicates,
    corrected_interval,
    mean_interval,
    paired_difference,
    paired_plain_difference,
    plain_interval,
    unpaired_difference,
    verdict,
    wider,
)
from scipy import stats


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def jackknife(statistic, x):
    """The statistic of x and of x without each element: blocks of one."""
    return JackknifeReplicates(statistic(x), np.array([statistic(np.delete(x, i)) for i in range(len(x))]))


def test_pseudo_values_of_a_mean_are_the_values(rng):
    """So the jackknife's standard error of a mean is s/√n."""
    x = rng.standard_normal(12)
    np.testing.assert_allclose(jackknife(np.mean, x).pseudo_values, x, rtol=1e-10)


def test_bias_correction_makes_a_variance_unbiased(rng):
    """Σ (x − mean)²/n has a bias of exactly −σ²/n (Efron 1982)."""
    x = rng.standard_normal(12)
    assert jackknife(np.var, x).pseudo_values.mean() == pytest.approx(np.var(x, ddof=1), rel=1e-12)


@pytest.mark.parametrize("n, dimension", [(500, 20), (40, 100), (63, 60), (43, 40)])
def test_delete_one_block_fids_are_those_of_the_images_left(rng, n, dimension):
    """With more and with fewer images than features, and where only the whole set has more."""
    reference = reference_statistics(np.zeros(dimension), np.diag(np.linspace(0.1, 1, dimension)))
    features = 1.1 * rng.standard_normal((n, dimension)) + 0.1
    parts = np.array_split(features, 5)
    fids = [
        delete_one_block_fids(reference, [Moments(part) for part in parts]),
        delete_one_block_fids_of_features(reference, features, 5),
    ]
    left = [np.concatenate(parts[:i] + parts[i + 1 :]) for i in range(5)]
    for blocked in fids:
        assert blocked.full == pytest.approx(frechet_distance(reference, Moments(features)), rel=1e-10)
        expected = [frechet_distance(reference, Moments(rest)) for rest in left]
        np.testing.assert_allclose(blocked.without, expected, rtol=1e-10)


@pytest.mark.parametrize("dimension", [5, 50])
def test_a_diverged_model_has_no_fids(rng, dimension):
    reference = reference_statistics(np.zeros(dimension), np.eye(dimension))
    features = rng.standard_normal((20, dimension))
    features[13] = np.nan
    assert delete_one_block_fids_of_features(reference, features, 4) is None


def test_mean_interval_is_that_of_the_t_test(rng):
    x = rng.standard_normal(7)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert mean_interval(x) == pytest.approx((x.mean(), *expected), rel=1e-10)


def test_difference_is_paired_and_corrected_for_bias(rng):
    """Of the variances of x and of x + noise, from the same draws: centred on the unbiased difference."""
    x = rng.standard_normal(30)
    y = x + 0.1 * rng.standard_normal(30)
    interval = paired_difference(jackknife(np.var, y), jackknife(np.var, x))
    assert interval.estimate == pytest.approx(np.var(y, ddof=1) - np.var(x, ddof=1), rel=1e-10)
    unpaired = mean_interval(jackknife(np.var, y).pseudo_values)
    assert interval.high - interval.low < 0.5 * (unpaired.high - unpaired.low)


def test_intervals_around_the_plain_and_the_corrected_value(rng):
    """Both have the standard error of the jackknife; the variance divided by n is biased, corrected it is not."""
    variance = jackknife(np.var, rng.standard_normal(12))
    plain, corrected = plain_interval(variance), corrected_interval(variance)
    assert plain.estimate == variance.full
    assert corrected.estimate == pytest.approx(variance.full * 12 / 11)
    assert plain.high - plain.low == pytest.approx(corrected.high - corrected.low)


def test_unpaired_difference_is_that_of_welchs_test(rng):
    x, y = rng.standard_normal(8), 3 * rng.standard_normal(15)
    expected = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    interval = unpaired_difference(jackknife(np.mean, x), jackknife(np.mean, y))
    assert interval == pytest.approx((x.mean() - y.mean(), *expected), rel=1e-9)


def test_verdict_of_the_wider_interval():
    seeds, replicas = Interval(0.3, 0.2, 0.4), Interval(0.2, -0.1, 0.5)
    assert wider(seeds, replicas) == wider(replicas, seeds) == replicas
    assert verdict(seeds) == "better"
    assert verdict(Interval(-0.3, -0.4, -0.2)) == "worse"
    assert verdict(replicas) == "not distinguishable"


def test_a_plain_difference_is_that_of_the_metrics_themselves(rng):
    """Against a constant it is the plain interval, shifted."""
    a = JackknifeReplicates(0.8, 0.8 + 0.01 * rng.standard_normal(10))
    constant = JackknifeReplicates(0.3, np.full(10, 0.3))
    alone = plain_interval(a)
    np.testing.assert_allclose(paired_plain_difference(a, constant), np.array(alone) - 0.3)
    assert paired_plain_difference(a, a) == (0, 0, 0)
