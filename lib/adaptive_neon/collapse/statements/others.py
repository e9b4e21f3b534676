"""Kernel density estimates, linear regression, classes."""

import numpy as np

from adaptive_neon.collapse.exact import categorical, kernel, regression
from adaptive_neon.collapse.loop import generation, stream
from adaptive_neon.collapse.metrics import class_coverage, diversity, excess_error, mean, share
from adaptive_neon.collapse.models.categorical import Categorical
from adaptive_neon.collapse.models.kernel import Kernels, single_kernel
from adaptive_neon.collapse.models.regression import Regression, gram_of_inputs
from adaptive_neon.collapse.regimes import Accumulate, Replace
from adaptive_neon.collapse.statements.gaussian import HERE, KAZDAN, MAD, SURESH
from adaptive_neon.collapse.statements.statement import Statement

GERSTGRASSER = "Gerstgrasser et al., 2404.01413"
DEMYSTIFIED = "Dohmatob et al., 2402.07712"
STRONG = "Dohmatob et al., 2410.04840"


def statements(seeds: int, seed: int) -> list[Statement]:
    return [*_kernels(seeds, seed), *_regression(seeds, seed), *_floor(seeds, seed), *_classes(seeds, seed)]


def _kernels(seeds: int, seed: int) -> list[Statement]:
    n, t, h, truth = 20, 60, 0.3, single_kernel(max(seeds // 4, 2))

    def last(name, model, regime, generations=t):
        return generation(generations, model, regime, truth, stream(seed, f"kernels {name}")).points[:, :, 0]

    replaced = last("replace", Kernels(h), Replace(n), 120)
    pooled = last("accumulate", Kernels(h), Accumulate(n))
    rule = last("rule", Kernels(), Replace(n), 10)
    pooled_rule = last("accumulate rule", Kernels(), Accumulate(n))
    fixed, shrinking = f"n = {n}, h = {h}", f"n = {n}, Silverman's h"
    avoids = "Replacing data makes density estimates collapse, accumulating avoids it (abstract)."
    return [
        Statement(
            "Kernel density, fixed h, replaced data", KAZDAN, avoids,
            "E[v] → (n − 1)h², from v ← (1 − 1/n)(v + h²)", f"{fixed}, t = 120",
            kernel.replaced(n, 120, h), mean(replaced.var(axis=1)), "made precise",
            "It degrades, but not by shrinking to a point: it settles at (n − 1)h² = "
            f"{kernel.replaced_limit(n, h):.2f}, "
            "wider than the truth or "
            "narrower, as h says.",
        ),
        Statement(
            "Kernel density, fixed h, accumulated data", KAZDAN, avoids,
            "E[second moment] = 1 + h²(H_t − 1), H_t = Σ 1/i ~ log t", f"{fixed}, t = {t}",
            kernel.accumulated(t, h), mean((pooled**2).mean(axis=1)), "corrected",
            "It diverges, as log t: each generation adds its kernel to 1/t of the data, and Σ 1/t has no limit.",
        ),
        Statement(
            "Kernel density, Silverman's h, replaced data", HERE,
            "A bandwidth in proportion to the spread of the data.",
            "E[v_t] = (1 − 1/n)·[(1 − 1/n)(1 + c)]^(t−1), c = (4/(3n))^(2/5)", f"{shrinking}, t = 10",
            kernel.replaced_silverman(n, 10), mean(rule.var(axis=1)), "new",
            "With n fixed it explodes: the kernels add the share c of the variance in each generation, "
            "sampling takes 1/n.",
        ),
        Statement(
            "Kernel density, Silverman's h, accumulated data", KAZDAN, avoids,
            "linear recursion for E[second moment]; converges, as Σ t^(−7/5) does", f"{shrinking}, t = {t}",
            kernel.accumulated_silverman(n, t), mean((pooled_rule**2).mean(axis=1)), "made precise",
            "Here accumulating does avoid it: the bandwidth shrinks as the data grow.",
        ),
    ]  # fmt: skip


def _regression(seeds: int, seed: int) -> list[Statement]:
    d, inputs, t = 5, 20, 10
    rng = stream(seed, "regression")
    truth = np.zeros((seeds, d))
    model = Regression(1.0, gram_of_inputs(seeds, d, inputs, rng))
    setting = f"d = {d}, T = {inputs}, σ = 1, t = {t}, the same inputs"

    def error(regime):
        return mean((generation(t, model, regime, truth, rng) ** 2).sum(axis=1))

    return [
        Statement(
            "Linear regression, replaced labels", f"{DEMYSTIFIED} and {GERSTGRASSER} (abstracts)",
            "The test error grows linearly with the generations.",
            "E_t = t·σ²d/(T − d − 1)", setting,
            regression.replaced(inputs, d, 1.0, t), error(Replace(inputs)), "confirmed",
            "Each generation adds the error of one fit.",
        ),
        Statement(
            "Linear regression, accumulated labels",
            GERSTGRASSER + " (abstract; π²/6 also in Dey and Donoho, 2410.22812)",
            "The test error has an upper bound that does not depend on the number of generations.",
            "E_t = σ²d/(T − d − 1)·Σ_{i ≤ t} 1/i² ≤ π²/6 times the first", setting,
            regression.accumulated(inputs, d, 1.0, t), error(Accumulate(inputs)), "confirmed",
            "The errors are weighted by 1/i, and add up to at most 1.64 times the first.",
        ),
    ]  # fmt: skip


def _floor(seeds: int, seed: int) -> list[Statement]:
    """One fit to real samples and to a few whose labels come from other coefficients."""
    d, rng, model = 10, stream(seed, "floor"), Regression(0.5)
    real_w, other = np.zeros((seeds, d)), np.zeros((seeds, d))
    other[:, 0] = 1

    def errors(real, synthetic):
        data = model.sample(real_w, real, rng)
        return (model.fit(data + model.sample(other, synthetic, rng) if synthetic else data) ** 2).sum(axis=1)

    rows = []
    for n, share_synthetic, finding in (
        (1000, 0.1, "With few samples the error is that of the noise and of the synthetic data, half and half."),
        (100_000, 0.1, "A hundred times the data leave the floor p₂²‖δ‖² where it was."),
        (100_000, 0.01, "With 1 % the floor is 10⁻⁴: it shows only beyond σ²d/(p₂²‖δ‖²) = 25,000 samples."),
    ):
        synthetic = round(n * share_synthetic)
        zeta = excess_error(errors(n - synthetic, synthetic), errors(n, 0))
        rows.append(
            Statement(
                "Linear regression, a few synthetic labels", STRONG + " (abstract)",
                "Even 1 % (in the final version: 1 in 1,000) of synthetic data can make larger training sets "
                "useless.",
                "ζ = E‖(W₁ + W₂)⁻¹W₂δ‖², exact for Wishart W; p₂²‖δ‖² for d ≪ n",
                f"d = {d}, σ = 0.5, ‖δ‖ = 1, n = {n}, p₂ = {share_synthetic:g}",
                regression.synthetic_floor(n - synthetic, synthetic, d, 1.0), zeta, "confirmed", finding,
            )
        )  # fmt: skip
    return rows


def _classes(seeds: int, seed: int) -> list[Statement]:
    classes, n, t = 10, 50, 30
    truth = np.full((seeds, classes), 1 / classes)
    before = 1 - 1 / classes
    replaced = generation(t, Categorical(), Replace(n), truth, stream(seed, "classes"))
    pooled = generation(t, Categorical(), Accumulate(n), truth, stream(seed, "classes accumulate"))
    setting = f"{classes} equal classes, n = {n}"
    rng = stream(seed, "survival")
    shares, k = truth, 60
    for _ in range(k):  # from exactly five samples of each class
        shares = Categorical().fit(Categorical().sample(shares, n, rng))
    modes, per_mode = 25, 250
    grid = np.full((max(seeds // 4, 2), modes), 1 / modes)
    for _ in range(100):
        grid = Categorical().fit(Categorical().sample(grid, per_mode, rng))
    exact = categorical.survival(n, n // classes, k)
    return [
        Statement(
            "Classes, replaced data", HERE, "What the literature shows in figures.",
            "E[1 − Σp²] = (1 − 1/n)^t·(1 − Σp₀²)", f"{setting}, t = {t}",
            before * categorical.replaced_diversity(n, t), mean(diversity(replaced)), "new",
            "Classes are lost as alleles by genetic drift (Wright–Fisher), at the rate of a Gaussian's variance.",
        ),
        Statement(
            "Classes, accumulated data", HERE, "What the literature shows in figures.",
            "E[1 − Σp²] = Π_{s ≤ t} (1 − 1/(n s²))·(1 − Σp₀²)", f"{setting}, t = {t}",
            before * categorical.accumulated_diversity(n, t), mean(diversity(pooled)), "new",
            "The same product as for a Gaussian: accumulating keeps the classes.",
        ),
        Statement(
            "Classes, replaced data", SURESH,
            "A symbol with λ samples survives k generations with probability ≥ 1 − exp(−λ/k).",
            "1 − exp(−λ/k) ≤ P", f"{setting}, λ = 5, k = {k}",
            categorical.survival_bound(5, k), share(shares[:, 0] > 0), "confirmed",
            "The bound holds, with room: see the next row.", "≥",
        ),
        Statement(
            "Classes, replaced data", HERE, "The survival itself.",
            "(Pᵏ) of the binomial Markov chain; for few of many about 1 − exp(−2λ/k)",
            f"{setting}, λ = 5, k = {k}",
            exact, share(shares[:, 0] > 0), "new",
            f"The bound is {categorical.survival_bound(5, k):.3f}, the branching approximation "
            f"{categorical.survival_of_branches(5, k):.3f}, the truth {exact:.3f}: survival is twice as likely "
            "as the bound says.",
        ),
        Statement(
            "25 modes, replaced data", MAD, "The modes of a mixture are lost one by one, which recall tells best.",
            "E[coverage] = (Pᵏ) of the binomial Markov chain", f"n = {per_mode}, 10 a mode, k = 100",
            categorical.survival(per_mode, per_mode // modes, 100), mean(class_coverage(grid)), "made precise",
            "Well-separated modes are classes: their coverage follows the Markov chain.",
        ),
    ]  # fmt: skip
