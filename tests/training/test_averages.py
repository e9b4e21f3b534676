"""Averages of a length that is chosen later, against the average over every step of a training."""

import numpy as np
import pytest
import torch
from adaptive_neon.training.averages import LENGTHS, Averages, Reconstructed, coefficients, exponent, overlaps
from scipy.integrate import quad

STEPS, BATCH = 400, 5


class Walk(torch.nn.Module):
    """Parameters that a seed moves at random, and a buffer."""

    def __init__(self):
        super().__init__()
        self.walk = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
        self.register_buffer("table", torch.ones(3))


@pytest.fixture
def walked(tmp_path):
    """All parameters on the way [steps, 50], the model at the end, and what was kept 16 times."""
    network, rng = Walk(), np.random.default_rng(0)
    averages, way = Averages(network, STEPS * BATCH / 16), []
    for step in range(1, STEPS + 1):
        network.walk.data += torch.from_numpy(rng.standard_normal(50))
        way.append(network.walk.detach().numpy().copy())
        averages.update(network, step * BATCH)
    averages.write(tmp_path / "averages.safetensors")
    model = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return np.array(way), model, tmp_path / "averages.safetensors"


def by_all_steps(way, gamma):
    """The average of exponent γ at the end: (γ + 1)/t^(γ + 1)·∫ τ^γ θ(τ) dτ, θ constant during a step."""
    edges = (np.arange(len(way) + 1) / len(way)) ** (gamma + 1)
    return np.diff(edges) @ way


@pytest.mark.parametrize(("length", "gamma"), [(0.05, 16.97), (0.10, 6.94), (12**-0.5, 0)])
def test_exponents_of_the_paper(length, gamma):
    """Karras et al. 2023, section 3.2; of equal weights over [0, 1] the standard deviation is √(1/12)."""
    assert exponent(length) == pytest.approx(gamma, abs=0.005)


def test_kept_averages_are_those_of_all_steps(walked):
    way, model, path = walked
    for length in LENGTHS:
        found = Reconstructed(model, path, length)
        np.testing.assert_allclose(found["walk"], by_all_steps(way, exponent(length)), atol=1e-8)
        assert (found["table"] == 1).all() and list(found) == ["walk", "table"]


@pytest.mark.parametrize(("length", "error"), [(0.07, 0.001), (0.15, 0.002), (0.2, 0.01), (0.03, 0.03)])
def test_averages_of_other_lengths(walked, length, error):
    """Relative to how far the average is from the last parameters."""
    way, model, path = walked
    expected = by_all_steps(way, exponent(length))
    found = Reconstructed(model, path, length)["walk"]
    assert np.linalg.norm(found - expected) < error * np.linalg.norm(expected - way[-1])


def test_what_never_moved_stays():
    """The coefficients add up to 1, however few are kept."""
    assert coefficients([(0.5, 16.97), (1.0, 6.94)], 1.0).sum() == pytest.approx(1)


def test_overlaps_are_integrals():
    for t, gamma, other_t, other_gamma in [(0.5, 17.0, 1.0, 7.0), (1.0, 7.0, 0.25, 2.0), (0.6, 3.0, 0.6, 3.0)]:

        def both(x, t=t, gamma=gamma, other_t=other_t, other_gamma=other_gamma):
            one = (gamma + 1) * x**gamma / t ** (gamma + 1)
            return one * (other_gamma + 1) * x**other_gamma / other_t ** (other_gamma + 1)

        expected, _ = quad(both, 0, min(t, other_t))
        assert overlaps(t, gamma, other_t, other_gamma) == pytest.approx(expected)
