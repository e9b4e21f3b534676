"""Neon inside the theory of loops: predictions of this project."""

import numpy as np

from adaptive_neon.collapse.exact import neon as exact
from adaptive_neon.collapse.loop import generation, stream
from adaptive_neon.collapse.metrics import mean, variance_over_seeds
from adaptive_neon.collapse.models.gaussian import Gaussian, standard_normal
from adaptive_neon.collapse.neon import correction, extrapolate, self_trained
from adaptive_neon.collapse.regimes import Replace
from adaptive_neon.collapse.statements.gaussian import HERE
from adaptive_neon.collapse.statements.statement import Statement

NEON = "Alemohammad et al. (Neon), 2510.03597"
TOPIC = "Neon on a Gaussian's variance"


def statements(seeds: int, seed: int) -> list[Statement]:
    return [
        *_bootstrap(seeds, seed),
        *_sets(seeds, seed),
        *_coordinates(seeds, seed),
        *_iterated(100 * seeds, seed),
        *_in_a_loop(seeds, seed),
    ]


def _bootstrap(seeds: int, seed: int) -> list[Statement]:
    rows = []
    claim = "Neon improves a model that was trained on its own samples by extrapolating away from them."
    for real, synthetic, bias, fraction, finding in (
        (20, 20, 1, 1, "w* = n_s/(n_r − 1) removes the bias exactly: the parametric bootstrap's correction."),
        (20, 60, 1, 1, "Three times the synthetic data triple w*: the drift they make is a third as long."),
        (50, 10, 1, 1, "A small synthetic set drifts far, and asks for a small w."),
        (50, 50, 0.9, 1, "A sampler that narrows drifts further: the w that is needed is six times smaller."),
        (20, 20, 1, 0.25, "A quarter of the way to the refit asks for four times the w: the 1/f rule."),
    ):  # fmt: skip
        model, rng = Gaussian(bias=bias), stream(seed, f"neon {real} {synthetic} {bias} {fraction}")
        base = model.fit(model.sample(standard_normal(4 * seeds), real, rng))
        tuned = self_trained(model, base, synthetic, rng, fraction=fraction)
        w = exact.weight(real, synthetic, bias, fraction)
        rows.append(
            Statement(
                TOPIC, NEON if (real, synthetic, bias, fraction) == (20, 20, 1, 1) else HERE, claim,
                "E[v_N] = 1 at w* = (1/(1 − 1/n_r) − 1)/(1 − λ(1 − 1/n_s))/f",
                f"n_r = {real}, n_s = {synthetic}, λ = {bias:g}, f = {fraction:g}, w* = {w:.3f}",
                1.0, mean(extrapolate(base, tuned, w).variance), "new", finding,
            )
        )  # fmt: skip
    return rows


def _sets(seeds: int, seed: int) -> list[Statement]:
    n, model, rows = 20, Gaussian(), []
    w = exact.weight(n, n)
    for sets, finding in (
        (1, f"The price of one synthetic set: without Neon it is {exact.mean_squared_error(0, n, n):.4f}."),
        (50, f"Fifty averaged sets come near the unbiased estimator's 2/(n − 1) = {2 / (n - 1):.4f}."),
    ):
        rng = stream(seed, f"neon sets {sets}")
        base = model.fit(model.sample(standard_normal(seeds), n, rng))
        tuned = self_trained(model, base, n, rng, sets)
        direction = (tuned.variance - base.variance) / base.variance
        errors = (extrapolate(base, tuned, w).variance - 1) ** 2
        setting = f"n_r = n_s = {n}, S = {sets} sets"
        rows += [
            Statement(
                TOPIC, HERE, "Neon takes one synthetic set; nothing is said of several.",
                "Var[(v_s − v_r)/v_r] = 2(n_s − 1)/(n_s²S)", setting,
                exact.direction_variance(n, sets), variance_over_seeds(direction), "new",
                "Averaging S synthetic sets divides the variance of Neon's direction by S.",
            ),
            Statement(
                TOPIC, HERE, "Neon takes one synthetic set; nothing is said of several.",
                "E(v_N − 1)² = E[v_r²]·[(1 + w/n_s)² + w²·Var u/S] − 2E[v_N] + 1", f"{setting}, w* = {w:.3f}",
                exact.mean_squared_error(w, n, n, sets), mean(errors), "new", finding,
            ),
        ]  # fmt: skip
    return rows


def _coordinates(seeds: int, seed: int) -> list[Statement]:
    n, model, rng = 20, Gaussian(), stream(seed, "neon coordinates")
    base = model.fit(model.sample(standard_normal(seeds), n, rng))
    tuned = self_trained(model, base, n, rng)
    w, w_log = exact.weight(n, n), exact.weight_of_logs(n, n)
    return [
        Statement(
            TOPIC + ", log v merged", HERE, "Neon extrapolates parameters; which ones is left to the network.",
            "E[v_N] = (1 − 1/n_r)(n_s/2)^w·Γ((n_s−1)/2 − w)/Γ((n_s−1)/2)", f"n_r = n_s = {n}, w = {at:.3f}",
            exact.mean_of_logs(at, n, n), mean(extrapolate(base, tuned, at, "log").variance), "new", finding,
        )
        for at, finding in (
            (w, "The w that is right for v is far too large for log v: Neon depends on the parametrisation."),
            (w_log, "In log v the same correction takes less than half the w."),
        )
    ]  # fmt: skip


def _iterated(seeds: int, seed: int) -> list[Statement]:
    n, model, rows = 1000, Gaussian(), []
    base = standard_normal(seeds)
    tuned = self_trained(model, base, n, stream(seed, "neon iterated"))
    for coordinates, w, approximation, finding in (
        ("variance", 0.5, "(w − w²)/n", "Below w = 1 the loop widens."),
        ("variance", 1.0, "(w − w²)/n", "At w = 1, and only there, it is neutral to first order."),
        ("variance", 2.0, "(w − w²)/n", "Beyond w = 1 it collapses: Neon's own noise costs w²/n."),
        ("log", 1.0, "2w/n", "If log v is merged the loop widens at every w > 0."),
    ):
        logs = np.log(extrapolate(base, tuned, w, coordinates).variance)
        rows.append(
            Statement(
                f"Neon iterated, θ ← Neon(θ), {'log v' if coordinates == 'log' else 'v'} merged", HERE,
                "Self-improvement without real data, again and again.",
                f"n·E[Δ log v] ≈ n·{approximation}; exact by quadrature, or with ψ", f"n = {n}, w = {w:g}",
                n * exact.log_step(w, n, coordinates), mean(n * logs), "new", finding,
            )
        )  # fmt: skip
    return rows


def _in_a_loop(seeds: int, seed: int) -> list[Statement]:
    n, t, model, rows = 100, 50, Gaussian(), []
    truth = standard_normal(seeds)
    for w, coordinates, about, finding in (
        (1.0, "variance", "w − w²",
         "At w = 1 nothing changes: what Neon adds to log v its noise takes away; only E[v] is kept."),
        (0.5, "variance", "w − w²",
         "At best, at w = 1/2, it gains an eighth of the speed: Neon removes a fit's bias, not its noise."),
        (1.0, "log", "2w", "Only if log v is merged does the drift vanish; the runs still part as a random walk."),
    ):  # fmt: skip
        loop = generation(
            t, model, Replace(n), truth, stream(seed, f"neon loop {w} {coordinates}"),
            correct=correction(model, n, w, coordinates=coordinates),
        )  # fmt: skip
        what = "log v" if coordinates == "log" else "v"
        rows.append(
            Statement(
                f"Neon on every generation, replaced data, {what} merged", HERE,
                "Does turning each generation's collapse around stop the loop's?",
                f"E[log v_t] = t·(E[log u] + E[Neon's step]) ≈ t·(−2 + {about})/n",
                f"n = {n}, t = {t}, w = {w:g}",
                t * exact.log_drift_of_loop(w, n, coordinates), mean(np.log(loop.variance)), "new", finding,
            )
        )  # fmt: skip
    return rows
