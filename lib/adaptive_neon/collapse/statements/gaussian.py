"""A Gaussian whose data are replaced, accumulated, or accumulated and subsampled."""

from itertools import islice

import numpy as np

from adaptive_neon.collapse.exact import gaussian as exact
from adaptive_neon.collapse.loop import generation, stream
from adaptive_neon.collapse.metrics import covariance_norms, mean, share, variance_over_seeds, wasserstein
from adaptive_neon.collapse.models.gaussian import Gaussian, standard_normal
from adaptive_neon.collapse.regimes import Accumulate, Replace, Subsample
from adaptive_neon.collapse.statements.statement import Statement

SHUMAILOV = "Shumailov et al., Nature 2024"
MAD = "Alemohammad et al. (MAD), 2307.01850"
SURESH = "Suresh et al., 2412.17646"
KAZDAN = "Kazdan et al., 2410.16713"
HERE = "derived here"


def statements(seeds: int, seed: int) -> list[Statement]:
    return [*_replaced(seeds, seed), *_in_dimensions(seeds, seed), *_pooled(seeds, seed)]


def _replaced(seeds: int, seed: int) -> list[Statement]:
    n, t, truth = 32, 30, standard_normal(seeds)
    setting, topic = f"n = {n}, t = {t}", "Gaussian, replaced data"
    biased = generation(t, Gaussian(), Replace(n), truth, stream(seed, "biased"))
    unbiased = generation(t, Gaussian("unbiased"), Replace(n), truth, stream(seed, "unbiased"))
    late = generation(40 * n, Gaussian("unbiased"), Replace(n), truth, stream(seed, "late"))
    narrow = generation(t, Gaussian("unbiased", bias=0.9), Replace(n), truth, stream(seed, "narrow"))
    ridge = generation(200, Gaussian(ridge=1e-3), Replace(n), truth, stream(seed, "ridge"))
    deviation = 0.1**0.5
    return [
        Statement(
            topic, SHUMAILOV, "The variance of a model that is trained on its own samples shrinks to 0.",
            "E[v_t] = (1 − 1/n)^t, maximum likelihood", setting,
            exact.mean_variance(n, t), mean(biased.variance), "confirmed",
            "With the fit that divides by n the mean falls as well.",
        ),
        Statement(
            topic, MAD, "With an unbiased fit the covariance still goes to 0 almost surely.",
            "E[v_t] = 1 for every t", setting,
            1.0, mean(unbiased.variance), "made precise",
            "The mean variance does not fall at all, though nearly every run collapses (next rows): a plot of "
            "the mean "
            "variance over generations cannot show this collapse.",
        ),
        Statement(
            topic, SURESH,
            "P(s_t > ε) ≤ exp(−t/(4n))/ε: the standard deviation is gone after about n generations.",
            "E[s_t] = c₄(n)^t, then Markov's inequality", f"n = {n}, t = {40 * n}, ε² = 0.1",
            exact.survival_bound(n, 40 * n, deviation), share(np.sqrt(late.variance) > deviation), "confirmed",
            "Runs that keep a tenth of the variance are fewer than the bound allows.", "≤",
        ),
        Statement(
            topic, HERE, "What the bound above rests on.",
            "E[s_t] = c₄(n)^t, c₄ ≈ 1 − 1/(4(n − 1)), unbiased fit", setting,
            exact.c4(n) ** t, mean(np.sqrt(unbiased.variance)), "new",
            "The standard deviation is exactly geometric in the mean.",
        ),
        Statement(
            topic, HERE, "How fast a typical run collapses.",
            "E[log v_t] = t·[ψ((n−1)/2) − log((n−1)/2)] ≈ −t/n, unbiased fit", setting,
            t * exact.log_drift(n, unbiased=True), mean(np.log(unbiased.variance)), "new",
            "The median run loses a factor e in n generations; log-variance shows what the mean hides.",
        ),
        Statement(
            topic, HERE, "The same with maximum likelihood.",
            "E[log v_t] = t·[ψ((n−1)/2) − log(n/2)] ≈ −2t/n", setting,
            t * exact.log_drift(n), mean(np.log(biased.variance)), "new",
            "The 1/n of maximum likelihood doubles the speed of collapse; half of it remains with an unbiased "
            "fit.",
        ),
        Statement(
            topic, HERE, "How far runs differ.",
            "Var[log v_t] = t·ψ′((n−1)/2) ≈ 2t/n", setting,
            t * exact.log_spread(n), variance_over_seeds(np.log(unbiased.variance)), "new",
            "One run says little: after n generations log v has a standard deviation of 1.4.",
        ),
        Statement(
            topic, SHUMAILOV + " (theorem as we remember it, not re-read)",
            "E[W₂²] to the truth grows without bound, while the variance goes to 0; to first order it is 3t/(2n).",
            "E[W₂²] = t/n + 2 − 2c₄(n)^t, unbiased fit", setting,
            exact.wasserstein(n, t), mean(wasserstein(unbiased, truth)), "made precise",
            "All of the growth is the mean's t/n, carried by the few runs that have not collapsed; in most "
            "runs the mean stops "
            "where the variance is gone.",
        ),
        Statement(
            topic, MAD, "A sampler that narrows, λ < 1, makes the loop collapse at a rate λ^t.",
            "E[v_t] = λ^(t−1), unbiased fit, the first real data honest", f"{setting}, λ = 0.9",
            exact.mean_variance(n, t, unbiased=True, bias=0.9), mean(narrow.variance), "confirmed",
            "A sampler's bias collapses the mean too, and in 1/(1 − λ) generations whatever n is.",
        ),
        Statement(
            topic, HERE, "scikit-learn's GaussianMixture adds reg_covar = 10⁻⁶ to every fit.",
            "E[v_t] = (1 − 1/n)^t + r·Σ_{s<t} (1 − 1/n)^s → n·r", f"n = {n}, t = 200, r = 10⁻³",
            exact.mean_variance(n, 200, ridge=1e-3), mean(ridge.variance), "new",
            "The plain way of running this study has a floor of n·10⁻⁶ under the mean variance, which its own "
            "collapse ends on.",
        ),
    ]  # fmt: skip


def _in_dimensions(seeds: int, seed: int) -> list[Statement]:
    n, t, d = 50, 10, 4
    several = generation(
        t, Gaussian("unbiased"), Replace(n), standard_normal(seeds, d), stream(seed, "dimensions")
    )
    determinant = covariance_norms(several.covariance)["log determinant"]
    few = generation(1, Gaussian(), Replace(5), standard_normal(seeds, 5), stream(seed, "rank"))
    return [
        Statement(
            "Gaussian in d dimensions, replaced data", MAD, "Σ_t given Σ_{t−1} is Wishart, and goes to 0.",
            "E[log det Σ_t] = t·Σ_i [ψ((n−1−i)/2) − log((n−1)/2)] ≈ −t·d(d+1)/(2n)", f"d = {d}, n = {n}, t = {t}",
            t * exact.log_drift(n, True, d), mean(determinant), "made precise",
            "log det Σ falls d(d+1)/2 times as fast as log v in one dimension: (d+1)/2 times a dimension.",
        ),
        Statement(
            "Gaussian in d dimensions, replaced data", HERE, "n ≤ d samples.",
            "rank Σ_1 = n − 1", "d = 5, n = 5, t = 1",
            4.0, mean(np.linalg.matrix_rank(few.covariance)), "new",
            "With as few samples as dimensions one generation is enough: a direction is gone for ever.",
        ),
    ]  # fmt: skip


def _pooled(seeds: int, seed: int) -> list[Statement]:
    n, t = 32, 40
    fewer = max(seeds // 4, 2)  # their points are kept
    pooled = generation(t, Gaussian(), Accumulate(n), standard_normal(seeds), stream(seed, "accumulate"))
    late = generation(2000, Gaussian(), Accumulate(n), standard_normal(fewer), stream(seed, "accumulate late"))
    model, truth = Gaussian(points=True), standard_normal(fewer)
    chosen = generation(t, model, Subsample(n), truth, stream(seed, "subsample"))
    converged = list(islice(exact.subsampled(n), 4000))
    ratio = (1 - converged[-1]) / (1 - exact.accumulated_limit(n))
    same = "The literature speaks of each regime apart."

    def conserved(regime, loop):
        second = loop.variance + loop.mean[:, 0] ** 2
        return Statement(
            f"Gaussian, {regime}", HERE, same, "E[v_t] + E[m_t²] = 1 at every t, maximum likelihood",
            f"n = {n}, t = {t}", 1.0, mean(second), "new",
            "What the variance loses, the error of the mean gains: collapse and drift are one law.",
        )  # fmt: skip

    replaced = generation(t, Gaussian(), Replace(n), standard_normal(seeds), stream(seed, "conservation"))
    return [
        conserved("replaced data", replaced),
        conserved("accumulated data", pooled),
        conserved("subsampled data", chosen),
        Statement(
            "Gaussian, accumulated data", KAZDAN + " (abstract)",
            "With accumulated data models stay stable, though the share of real data goes to 0.",
            "E[v_t] = Π_{s ≤ t} (1 − 1/(n s²)), maximum likelihood", f"n = {n}, t = {t}",
            exact.accumulated(n, t), mean(pooled.variance), "confirmed",
            "The losses 1/(n s²) add up to a finite one.",
        ),
        Statement(
            "Gaussian, accumulated data", HERE, "Where it ends.",
            "E[v_t] → sin(π/√n)/(π/√n) ≈ 1 − π²/(6n)", f"n = {n}, t = 2000 (within 2·10⁻⁵ of the limit)",
            exact.accumulated(n, 2000), mean(late.variance), "new",
            f"The limit is {exact.accumulated_limit(n):.5f}: a loss of π²/(6n), 1.6 times that of the first fit.",
        ),
        Statement(
            "Gaussian, subsampled data", KAZDAN + " (abstract of v4; v2 speaks of a plateau)",
            "A fixed budget out of accumulated data degrades slowly and gradually.",
            "closed recursion for E[v_t] (docs/collapse.md), which converges", f"n = {n}, t = {t}",
            converged[t - 1], mean(chosen.variance), "corrected",
            f"It does not go on: E[v_t] tends to {converged[-1]:.4f}, a loss {ratio:.2f} times that of "
            "accumulated data; the "
            "plateau of v2 is the better word.",
        ),
    ]  # fmt: skip
