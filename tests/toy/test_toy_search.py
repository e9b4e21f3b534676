import numpy as np
import pytest
from adaptive_neon.toy.autoregressive import Autoregressive
from adaptive_neon.toy.diffusion import Diffusion
from adaptive_neon.toy.gaussian import stream
from adaptive_neon.toy.search import gradient_search, minimise, objective


def test_gradient_agrees_with_finite_differences():
    family = Diffusion(eta=1.0)
    base, tuned = (
        {name: array.astype(np.float64) for name, array in family.initial(stream(0, purpose)).items()}
        for purpose in ("base", "tuned")
    )
    distance = objective(family, base, tuned, family.draws(1000, stream(0, "draws")).double())
    weights = np.array([0.28, -0.3, 0.1, 0.4, -0.2, 0.6])
    value, gradient = distance(weights)
    assert value > 0
    h = 1e-7  # small, so that few points cross a kink of the ReLUs
    for i, step in enumerate(h * np.eye(6)):
        slope = (distance(weights + step)[0] - distance(weights - step)[0]) / (2 * h)
        assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_minimise_finds_the_width_that_is_best():
    """A model of two independent widths, σ₂ = √2 fixed: C = diag(σ₁², 2) is nearest to the truth at one σ₁."""
    family = Autoregressive()
    base = {name: np.zeros_like(array) for name, array in family.initial(stream(0, "")).items()}
    base["output.bias"][1] = np.log(2) / 2
    tuned = {name: array.copy() for name, array in base.items()}
    tuned["first.log_std"][:] = -0.2  # σ₁ = e^{0.2 w}
    draws = family.draws(20_000, stream(0, "draws"))
    found = minimise(objective(family, base, tuned, draws), ["all"], {"all": 0.0}, (-3.0, 3.0))
    widths = np.linspace(0.8, 1.6, 8001)
    traces, determinants = 2 * widths**2 + 4, 3 * 2 * widths**2  # of CΣ
    distances = widths**2 + 6 - 2 * np.sqrt(traces + 2 * np.sqrt(determinants))
    assert found.point["all"] == pytest.approx(np.log(widths[distances.argmin()]) / 0.2, abs=0.15)
    assert found.distance == pytest.approx(distances.min(), abs=0.02)
    assert found.evaluations < 30


def test_minimise_stays_within_its_bounds():
    found = minimise(lambda w: (w.sum(), np.ones(2)), ["a", "b"], {"a": 0.5, "b": -0.5}, (-1.0, 2.0))
    assert found.point == {"a": -1.0, "b": -1.0}
    assert found.distance == -2


def test_gradient_search_starts_at_the_single_weight_and_at_random_points():
    family = Diffusion()
    base, tuned = (family.initial(stream(0, purpose)) for purpose in ("base", "tuned"))
    optima = gradient_search(family, base, tuned, 0.28, 2, (-1.0, 1.0), 200, 300, seed=0)
    assert len(optima) == 3
    assert set(optima[0]["start"].values()) == {0.28}
    at_start = objective(family, base, tuned, family.draws(200, stream(0, "search")))
    verifying = objective(family, base, tuned, family.draws(300, stream(0, "verification")))
    for entry in optima:
        weights = [np.array(list(entry[key].values())) for key in ("start", "point")]
        assert abs(np.concatenate(weights)).max() <= 1
        assert entry["search"] < at_start(weights[0])[0]
        assert entry["distance"] == pytest.approx(verifying(weights[1])[0], rel=1e-4)
