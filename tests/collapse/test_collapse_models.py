"""Each model against another way to draw or fit the same."""

import numpy as np
import pytest
from adaptive_neon.collapse.loop import generation, generations, stream
from adaptive_neon.collapse.models.categorical import Categorical, Counts
from adaptive_neon.collapse.models.data import Moments, Points
from adaptive_neon.collapse.models.gaussian import Gaussian, Normal, factor, standard_normal, wishart
from adaptive_neon.collapse.models.kernel import Density, Kernels, single_kernel
from adaptive_neon.collapse.models.mixture import Components, Mixture, draw_labelled
from adaptive_neon.collapse.models.regression import Regression
from adaptive_neon.collapse.regimes import Accumulate, Mixed, Replace, Subsample, of_share
from scipy.stats import kstest, norm
from scipy.stats import wishart as scipy_wishart
from sklearn.mixture import GaussianMixture


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_pooled_moments_are_those_of_the_pooled_points(rng):
    points = rng.standard_normal((3, 10, 2)) * [1, 3]
    whole = Points(points).moments
    parts = Points(points[:, :4]).moments + Points(points[:, 4:]).moments
    assert parts.n == whole.n == 10
    np.testing.assert_allclose(parts.mean, whole.mean)
    np.testing.assert_allclose(parts.scatter, whole.scatter)
    np.testing.assert_allclose(whole.scatter[0] / 10, np.cov(points[0].T, bias=True))


def test_a_weight_is_as_many_copies(rng):
    points = rng.standard_normal((2, 5, 1))
    twice = Points(np.concatenate([points, points], axis=1)).moments
    weighted = Points(points).moments.weighted(2)
    np.testing.assert_allclose(weighted.scatter, twice.scatter)
    assert weighted.n == twice.n


def test_wishart_has_the_moments_of_scipys(rng, agrees):
    covariance = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
    root = np.tile(np.linalg.cholesky(covariance), (20_000, 1, 1))
    for freedom in (2, 7):  # of low rank, and by Bartlett's decomposition
        drawn = wishart(root, freedom, rng)
        law = scipy_wishart(max(freedom, 3), covariance)
        for i, j in ((0, 0), (0, 1), (2, 1)):
            agrees(drawn[:, i, j], freedom * covariance[i, j])
            spread = law.var()[i, j] * freedom / max(freedom, 3)
            agrees((drawn[:, i, j] - freedom * covariance[i, j]) ** 2, spread)
    assert np.linalg.matrix_rank(wishart(root[:5], 2, rng)).tolist() == [2] * 5


def test_moments_of_a_sample_are_as_if_of_points(rng, agrees):
    truth = Normal(np.full((20_000, 1), 5.0), np.full((20_000, 1, 1), 2.0))
    direct = Gaussian().sample(truth, 8, rng)
    drawn = Gaussian(points=True).sample(truth, 8, rng).moments
    assert isinstance(direct, Moments)
    for found in (direct, drawn):
        agrees(found.mean[:, 0], 5)
        agrees((found.mean[:, 0] - 5) ** 2, 2 / 8)
        agrees(found.scatter[:, 0, 0], 2 * 7)
        agrees((found.scatter[:, 0, 0] - 14) ** 2, 2 * 7 * 2**2)


def test_a_singular_covariance_still_has_a_root():
    covariance = np.ones((2, 3, 3))
    root = factor(covariance)
    np.testing.assert_allclose(root @ root.transpose(0, 2, 1), covariance, atol=1e-12)


def test_a_gaussian_fit_is_scikit_learns(rng):
    points = Points(rng.standard_normal((1, 50, 2)))
    fitted = GaussianMixture(1).fit(points.values[0])
    ours = Gaussian(ridge=1e-6).fit(points)
    np.testing.assert_allclose(ours.mean[0], fitted.means_[0])
    np.testing.assert_allclose(ours.covariance[0], fitted.covariances_[0], rtol=1e-6)


def test_chosen_points_are_all_different_and_every_point_is_as_likely(rng):
    points = Points(np.broadcast_to(np.arange(6.0)[:, None], (20_000, 6, 1)))
    chosen = points.choose(3, rng).values[:, :, 0]
    assert all(len(set(row)) == 3 for row in chosen[:100])
    counts = np.bincount(chosen.astype(int).ravel(), minlength=6)
    np.testing.assert_allclose(counts, 10_000, atol=4 * np.sqrt(20_000 * 0.25))  # four standard errors


def test_a_kernel_estimate_draws_what_it_is(rng):
    density = Density(np.array([[[-1.0], [2.0]]]), np.array([0.5]))
    drawn = Kernels(0.5).sample(density, 4000, rng).values[0, :, 0]
    assert kstest(drawn, lambda x: 0.5 * (norm.cdf(x, -1, 0.5) + norm.cdf(x, 2, 0.5))).pvalue > 1e-3
    np.testing.assert_allclose(density.variance, 1.5**2 + 0.25)
    assert kstest(Kernels(1.0).sample(single_kernel(1), 4000, rng).values[0, :, 0], norm.cdf).pvalue > 1e-3


def test_temperature_sharpens():
    shares = np.array([[0.2, 0.8]])
    np.testing.assert_allclose(Categorical(0.5).sharpened(shares), [[0.04 / 0.68, 0.64 / 0.68]])
    assert Categorical().sharpened(shares) is shares
    np.testing.assert_allclose(Categorical().fit(Counts(np.array([[1, 3]]))), [[0.25, 0.75]])


def test_regression_is_least_squares(rng, agrees):
    """From XᵀX and Xᵀy alone, with the error that tr(XᵀX)⁻¹ says."""
    w = np.tile([1.0, -2.0], (20_000, 1))
    model = Regression(0.5)
    fitted = model.fit(model.sample(w, 12, rng))
    agrees(fitted[:, 1], -2)
    agrees(((fitted - w) ** 2).sum(axis=1), 0.25 * 2 / (12 - 2 - 1))


def test_a_mixtures_labels_and_fit(rng):
    truth = Components(np.array([[0.2, 0.8]]), np.array([[-5.0, 5.0]]), np.array([[1.0, 0.25]]))
    points, labels = draw_labelled(truth, 4000, rng)
    x = points.values[0, :, 0]
    assert abs(labels.mean() - 0.8) < 4 * np.sqrt(0.16 / 4000)
    assert kstest(x[labels[0] == 1], norm(5, 0.5).cdf).pvalue > 1e-3
    fitted = Mixture(2).fit(points)
    np.testing.assert_allclose(fitted.means[0], [x[labels[0] == k].mean() for k in (0, 1)], atol=1e-3)
    np.testing.assert_allclose(fitted.weights[0], [1 - labels.mean(), labels.mean()], atol=1e-3)


def test_what_each_regime_trains_on():
    """Data are lists of where they came from; each generation's synthetic data are told apart."""

    class Told(list):
        def __add__(self, other):
            return Told([*self, *other])

        def choose(self, n, rng):
            return Told(self[-n:])

    def sets(regime, t=3):
        class Teller:
            def fit(self, data):
                return data

            def sharpened(self, data):
                return data

            def sample(self, source, n, rng):
                return Told([("real" if isinstance(source, str) else f"of {len(source)}")] * n)

        return [found for _, found in zip(range(t), generations(Teller(), regime, "truth", None), strict=False)]

    assert sets(Replace(2)) == [["real"] * 2, ["of 2"] * 2, ["of 2"] * 2]
    assert sets(Accumulate(1)) == [["real"], ["real", "of 1"], ["real", "of 1", "of 2"]]
    assert sets(Subsample(1)) == [["real"], ["of 1"], ["of 1"]]
    assert sets(Mixed(1, 2)) == [["real"] * 3, ["real", "of 3", "of 3"], ["real", "of 3", "of 3"]]
    assert sets(Mixed(1, 2, fresh=True, start=4), 2) == [["real"] * 4, ["real", "of 4", "of 4"]]
    assert (of_share(1000, 0.9), of_share(10, 1.0)) == (Mixed(100, 900), Mixed(0, 10))


def test_the_same_real_data_are_the_same():
    """All real, no synthetic data: every generation is the first."""
    rng = stream(0, "same")
    loop = generations(Gaussian(), Mixed(5, 0), standard_normal(3), rng)
    first, second = next(loop), next(loop)
    np.testing.assert_array_equal(first.covariance, second.covariance)


def test_a_stream_is_its_seeds_and_purposes():
    def draw(*arguments):
        return generation(3, Gaussian(), Replace(5), standard_normal(4), stream(*arguments)).variance.tolist()

    assert draw(0, "a") == draw(0, "a")
    assert draw(0, "a") != draw(0, "b") != draw(1, "b")
