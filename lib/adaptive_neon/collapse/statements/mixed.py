"""Real data in every generation: fresh or the same, pooled or weighted."""

import numpy as np

from adaptive_neon.collapse.exact import mixed as exact
from adaptive_neon.collapse.loop import generation, generations, stream
from adaptive_neon.collapse.metrics import mean, stability
from adaptive_neon.collapse.models.gaussian import Gaussian, Normal, standard_normal
from adaptive_neon.collapse.regimes import Mixed, Replace
from adaptive_neon.collapse.statements.gaussian import HERE, MAD
from adaptive_neon.collapse.statements.statement import Statement

BERTRAND = "Bertrand et al., 2310.00429"
GOLDEN = "He et al. (golden ratio), 2502.18049"
FU = "Fu et al., 2502.18865"
LONG = 60  # generations, after which the settings below have converged


def statements(seeds: int, seed: int) -> list[Statement]:
    return [*_fresh(seeds, seed), *_weighted(seeds, seed), *_same(seeds, seed), *_stability(seeds, seed)]


def _fresh(seeds: int, seed: int) -> list[Statement]:
    truth, rows = standard_normal(seeds), []
    topic = "Gaussian, fresh real data"
    settings = ((20, 20, 1, 10), (20, 20, 1, 1000), (10, 90, 1, 1000), (20, 20, 0.8, 1000))
    for real, synthetic, bias, start in settings:
        regime = Mixed(real, synthetic, fresh=True, start=start)
        loop = generation(
            LONG, Gaussian("unbiased", bias=bias), regime, truth, stream(seed, f"fresh {real} {bias} {start}")
        )
        limit = exact.limit(real, synthetic, fresh=True, bias=bias, unbiased=True)
        setting = f"n_r = {real}, n_s = {synthetic}, λ = {bias:g}, first {start}"
        rows.append(
            Statement(
                topic, MAD, "The limit depends on n_r, n_s and λ, not on how much real data the first model saw.",
                "E[v] of the fixed point of a linear recursion (docs/collapse.md)", f"{setting}, t = {LONG}",
                limit.variance, mean(loop.variance), "confirmed",
                "The start is forgotten as b^(2t), for a share b of synthetic data.",
            )
        )  # fmt: skip
    square = exact.limit(10, 90, fresh=True, unbiased=True).square
    loop = generation(LONG, Gaussian("unbiased"), Mixed(10, 90, fresh=True), truth, stream(seed, "effective size"))
    rows.append(
        Statement(
            topic, MAD, "A moderate amount of synthetic data is worth more real data: n_e/n_r > 1.",
            "E[m²] ≈ 1/(n_r(1 + b)): n_e/n_r ≈ 1 + b", f"n_r = 10, n_s = 90, t = {LONG}",
            square, mean(loop.mean[:, 0] ** 2), "made precise",
            f"For the mean n_e/n_r = {1 / (10 * square):.2f} here, and at most 2, however much synthetic data "
            "there is.",
        )
    )  # fmt: skip
    return rows


def _weighted(seeds: int, seed: int) -> list[Statement]:
    rows, n = [], 50
    findings = {
        exact.GOLDEN: "The best weight of the real data is 1/φ, and n·E[m²] is 1/φ too.",
        0.5: "Pooling, each sample with the same weight, is a little worse.",
        1.0: "Real data alone are worse by 1.6.",
    }
    for w, finding in findings.items():
        regime = Mixed(n, n, fresh=True, weight=w)
        loop = generation(LONG, Gaussian("known"), regime, standard_normal(seeds), stream(seed, f"weight {w:.3f}"))
        rows.append(
            Statement(
                "Gaussian, fresh real data with a weight", GOLDEN,
                "With as much fresh real as synthetic data the best weight on the real ones is the reciprocal "
                "of the golden ratio.",
                "n·E[m²] = (w² + (1 − w)²)/(2w − w²)", f"n_r = n_s = {n}, w = {w:.3f}, t = {LONG}",
                n * exact.weighted_mean_error(w, n, n), mean(n * loop.mean[:, 0] ** 2), "confirmed", finding,
            )
        )  # fmt: skip
    return rows


def _same(seeds: int, seed: int) -> list[Statement]:
    """Real samples that are always the same, four times as many synthetic ones, from a bad start."""
    real, synthetic, t = 200, 800, 8
    model, rng, truth = Gaussian(), stream(seed, "bad start"), standard_normal(seeds)
    kept = model.sample(truth, real, rng)
    loop = Normal(kept.mean + 1, 4 * truth.covariance)
    for _ in range(t):
        loop = model.fit(kept + model.sample(loop, synthetic, rng))
    regime = Mixed(real, synthetic)
    steady = generation(LONG, model, regime, truth, stream(seed, "same"))
    claim = (
        "Stable if the first model is good and synthetic data are few enough (abstract); the theorem asks for "
        "λ(1 + Lε/α) < 1/2 (as we remember it, not re-read)."
    )
    return [
        Statement(
            "Gaussian, the same real data", BERTRAND, claim,
            "E[m_t − x̄_r] = (λ/(1 + λ))^t·(error of the start)",
            f"λ = 4 synthetic a real sample, start off by 1, t = {t}",
            exact.contraction(synthetic / real) ** t, mean((loop.mean - kept.mean)[:, 0]), "made precise",
            "The loop contracts for every λ, here far beyond 1/2 and from a bad start: the condition is "
            "sufficient, not necessary.",
        ),
        Statement(
            "Gaussian, the same real data", HERE, "What remains of the variance.",
            "E[v] of the fixed point of a linear recursion (docs/collapse.md), maximum likelihood",
            f"n_r = {real}, n_s = {synthetic}, t = {LONG}",
            exact.limit(real, synthetic).variance, mean(steady.variance), "new",
            "A fixed set of real data keeps the variance for ever; the loop never gets better than these data.",
        ),
    ]  # fmt: skip


def _stability(seeds: int, seed: int) -> list[Statement]:
    """The same loop twice, with the same random numbers, one of them with its first generation moved by 1."""

    def means(regime, moved):
        first = [moved]

        def shift(parameters, rng):
            return Normal(parameters.mean + (first.pop() if first else 0), parameters.covariance)

        loop = generations(Gaussian(), regime, standard_normal(seeds), stream(seed, "coupled"), shift)
        return np.array([parameters.mean[:, 0] for _, parameters in zip(range(t), loop, strict=False)])

    t, rows = 11, []
    for regime, name, exact_value, finding in (
        (Replace(50), "replaced data", 1.0, "Without real data the loop never forgets a disturbance."),
        (
            Mixed(10, 40), "the same real data, a fifth", 0.8 ** (t - 1),
            "Any constant share of real data makes it forget.",
        ),
    ):  # fmt: skip
        left = stability(means(regime, 0.0), means(regime, 1.0))[-1]
        rows.append(
            Statement(
                f"Gaussian, {name}", FU + " (abstract)",
                "A constant share of real data ensures convergence (recursive stability).",
                "E[(θ_t − θ′_t)/(θ_1 − θ′_1)] = b^(t−1), the same random numbers", f"N = 50, t = {t}",
                exact_value, mean(left), "confirmed", finding,
            )
        )  # fmt: skip
    return rows
