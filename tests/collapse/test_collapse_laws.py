"""The laws: against simulations within four standard errors, and against other ways to compute them."""

from itertools import islice

import numpy as np
import pytest
from adaptive_neon.collapse.exact import categorical, gaussian, kernel, mixed, neon, regression
from adaptive_neon.collapse.loop import generation, stream
from adaptive_neon.collapse.metrics import diversity
from adaptive_neon.collapse.models.categorical import Categorical
from adaptive_neon.collapse.models.gaussian import Gaussian, standard_normal
from adaptive_neon.collapse.regimes import Mixed
from adaptive_neon.collapse.statements import all_statements
from adaptive_neon.collapse.statements.statement import LIMIT
from scipy.integrate import quad
from scipy.stats import beta, chi2, invgamma

SEEDS = 3000


@pytest.fixture(scope="module")
def statements():
    return all_statements(SEEDS, seed=1)


def test_every_law_holds_in_its_simulation(statements):
    """Within `LIMIT` standard errors, which is 4."""
    assert LIMIT == 4
    assert [(row.topic, row.setting, row.deviation) for row in statements if not row.holds] == []


def test_deviations_are_those_of_chance(statements):
    """If the laws hold and the errors are right, the deviations are standard normal: mean 0, mean square 1."""
    deviations = np.array([row.deviation for row in statements if row.relation == "=" and row.simulated.error])
    n = len(deviations)
    assert n > 50
    assert abs(np.mean(deviations)) < 4 / np.sqrt(n)
    assert abs(np.mean(deviations**2) - 1) < 4 * np.sqrt(2 / n)


def test_every_row_is_explained(statements):
    for row in statements:
        assert all((row.topic, row.source, row.claim, row.law, row.setting, row.finding)), row
    sources = " ".join(row.source for row in statements)
    for paper in (
        "2307.01850",
        "2412.17646",
        "2410.16713",
        "2310.00429",
        "2502.18049",
        "2502.18865",
        "2404.01413",
    ):
        assert paper in sources
    assert {row.verdict for row in statements} == {"confirmed", "made precise", "corrected", "new"}


@pytest.mark.parametrize("n", [2, 5, 40])
def test_c4_and_log_moments_are_integrals_of_chi_square(n):
    law = chi2(n - 1)
    assert gaussian.c4(n) == pytest.approx(law.expect(lambda x: np.sqrt(x / (n - 1))), rel=1e-6)
    if n > 2:
        log = law.expect(lambda x: np.log(x / (n - 1)))
        assert gaussian.log_drift(n, unbiased=True) == pytest.approx(log, rel=1e-5)
        assert gaussian.log_spread(n) == pytest.approx(
            law.expect(lambda x: np.log(x / (n - 1)) ** 2) - log**2, rel=1e-4
        )


def test_accumulated_data_tend_to_eulers_product():
    assert gaussian.accumulated(10, 200_000) == pytest.approx(gaussian.accumulated_limit(10), rel=1e-6)
    assert gaussian.accumulated_limit(4) == pytest.approx(np.sin(np.pi / 2) / (np.pi / 2))


def test_subsampling_converges():
    """Past 4,000 generations nothing moves: by less than the loss of the last thousand before."""
    values = list(islice(gaussian.subsampled(32), 8000))
    assert values[0] == pytest.approx(1 - 1 / 32)
    assert values[-1] == pytest.approx(values[3999], abs=2e-5)
    assert 0.911 < values[-1] < gaussian.accumulated_limit(32)


def test_fresh_real_data_alone_are_a_plain_fit():
    found = next(islice(mixed.mixed(20, 0, fresh=True), 5, None))
    assert found == pytest.approx((1 / 20, 1 - 1 / 20))


def test_no_real_data_are_replaced_data():
    found = [law.variance for law in islice(mixed.mixed(0, 30, ridge=1e-3, bias=0.9), 20)]
    assert found == pytest.approx([gaussian.mean_variance(30, t, bias=0.9, ridge=1e-3) for t in range(1, 21)])


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("bias", "fit_by"), [(1.0, "biased"), (0.8, "unbiased")])
def test_mixed_data_at_every_generation(fresh, bias, fit_by, agrees):
    """The whole path, not its end alone, within four standard errors."""
    law = list(islice(mixed.mixed(10, 30, fresh, bias, unbiased=fit_by == "unbiased"), 7))
    for t in (1, 2, 3, 7):
        expected = law[t - 1]
        model, regime = Gaussian(fit_by, bias=bias), Mixed(10, 30, fresh=fresh)
        found = generation(t, model, regime, standard_normal(10_000), stream(t, "mixed"))
        agrees(found.variance, expected.variance)
        agrees(found.mean[:, 0] ** 2, expected.square)


def test_the_golden_ratio_is_the_minimum():
    weights = np.linspace(0.01, 1, 10_000)
    errors = [mixed.weighted_mean_error(w, 1, 1) for w in weights]
    assert weights[np.argmin(errors)] == pytest.approx(mixed.GOLDEN, abs=1e-4)
    assert min(errors) == pytest.approx(mixed.GOLDEN, abs=1e-7)
    assert pytest.approx(1 + mixed.GOLDEN) == 1 / mixed.GOLDEN


def test_the_diffusion_is_inverse_gamma():
    assert mixed.share_below(0.5, 6) == pytest.approx(invgamma(7, scale=6).cdf(0.5))
    real = mixed.smallest_fresh(0.5, 2.0, 0.95)
    law = invgamma(1 + real, scale=real)
    assert law.cdf(2) - law.cdf(0.5) == pytest.approx(0.95)


def test_the_synthetic_floor_of_one_dimension_is_a_beta():
    """d = 1: W₂/(W₁ + W₂) is Beta(n₂/2, n₁/2), and δ² its second moment."""
    assert regression.synthetic_floor(30, 10, 1, 2.0) == pytest.approx(4 * beta(5, 15).moment(2))
    assert regression.synthetic_floor(10**7, 10**5, 10, 1.0) == pytest.approx((1 / 101) ** 2, rel=1e-2)


def test_inverse_squares():
    assert regression.inverse_squares(3) == pytest.approx(1 + 1 / 4 + 1 / 9)
    assert regression.inverse_squares(10**6) == pytest.approx(np.pi**2 / 6, abs=1e-5)


def test_diversity_starts_at_the_truths(agrees):
    p = np.tile([0.5, 0.3, 0.2], (20_000, 1))
    counts = Categorical().fit(Categorical().sample(p, 10, stream(0, "diversity")))
    agrees(diversity(counts), (1 - 0.38) * categorical.replaced_diversity(10, 1))


def test_survival_of_one_step_is_binomial():
    assert categorical.survival(20, 3, 1) == pytest.approx(1 - (1 - 3 / 20) ** 20)
    for k in (10, 40):
        assert categorical.survival_bound(5, k) < categorical.survival(100, 5, k)
    assert categorical.survival(1000, 5, 50) == pytest.approx(categorical.survival_of_branches(5, 50), rel=0.06)


def test_a_kernel_density_settles_where_sampling_and_kernels_balance():
    assert kernel.replaced(20, 3000, 0.3) == pytest.approx(kernel.replaced_limit(20, 0.3))
    limit = kernel.replaced_limit(20, 0.3)
    assert (1 - 1 / 20) * (limit + 0.09) == pytest.approx(limit)


def test_neons_weights():
    assert neon.weight(20, 60) == pytest.approx(60 / 19)
    assert neon.weight(20, 60, fraction=0.1) == pytest.approx(10 * neon.weight(20, 60))
    for real, synthetic, bias in ((20, 20, 1.0), (50, 50, 0.9)):
        assert neon.mean(neon.weight(real, synthetic, bias), real, synthetic, bias) == pytest.approx(1)
    assert neon.mean_of_logs(neon.weight_of_logs(20, 20), 20, 20) == pytest.approx(1)


def test_neon_on_many_sets_is_the_unbiased_estimator():
    n = 20
    assert neon.mean_squared_error(neon.weight(n, n), n, n, sets=10**9) == pytest.approx(2 / (n - 1))
    assert neon.mean_squared_error(0, n, n) == pytest.approx((2 * n - 1) / n**2)  # maximum likelihood


def test_neons_step_in_log_variance():
    """−7/4 at the best w = 1/2, to first order; exact without Neon and with a tiny step."""
    n = 4000
    assert n * neon.log_drift_of_loop(0.5, n) == pytest.approx(-7 / 4, abs=0.01)
    assert neon.log_drift_of_loop(1.0, n, "log") == 0
    assert n * neon.log_step(1e-9, n) == pytest.approx(1e-9, rel=1e-3)
    law = chi2(99)
    direct = quad(lambda x: law.pdf(x) * np.log(1.5 - 0.5 * x / 100), 20, 250, limit=200)[0]
    assert neon.log_step(0.5, 100) == pytest.approx(direct, rel=1e-6)


def test_neons_best_held_out_loss():
    n = 20
    best = 4 * n / (n - 3)
    assert neon.held_out_loss(best, n) < min(neon.held_out_loss(best * f, n) for f in (0.9, 1.1))
    fitted = chi2(n - 1).expect(lambda x: 0.5 * (np.log(2 * np.pi * x / n) + (1 + 1 / n) * n / x))
    assert neon.held_out_loss(0.0, n) == pytest.approx(fitted, rel=1e-6)
