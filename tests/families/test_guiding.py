"""Guidance of one model by another, against its closed form on Gaussians."""

import pytest
import torch
from adaptive_neon.families import settings_of
from adaptive_neon.families.edm import family as edm
from adaptive_neon.families.edm.diffusion import heun, noise_levels
from adaptive_neon.families.edm.family import draw
from adaptive_neon.families.flow import family as flow
from adaptive_neon.families.flow import matching
from adaptive_neon.families.sampling import Guided
from torch import nn

STRONG, WEAK = 0.6, 0.45  # standard deviations of what the two models know


class Denoiser(nn.Module):
    """The best denoiser of N(0, s²): D(x; σ) = s²/(s² + σ²)·x."""

    def __init__(self, deviation):
        super().__init__()
        self.variance = deviation**2

    def forward(self, x, sigma):
        return self.variance / (self.variance + sigma**2) * x


class Velocity(nn.Module):
    """The velocity field of N(0, s²): x_t has variance V = (1 − t)² + t²s², and v = x·V'/(2V)."""

    def __init__(self, deviation):
        super().__init__()
        self.variance = deviation**2

    def forward(self, x, t):
        return x * (t * self.variance - (1 - t)) / ((1 - t) ** 2 + t**2 * self.variance)


@pytest.mark.parametrize("w", [-1.0, 0.0, 0.5, 1.5])
def test_guiding_extrapolates_the_logarithm_of_a_gaussian(w):
    """d ln x/dσ = σ·((1 + w)/(s_r² + σ²) − w/(s_s² + σ²)): from σ_max to 0 noise shrinks to s_r^(1+w)·s_s^(−w).

    Neon in the variance would give (1 + w)·s_r² − w·s_s², which is the same to first order.
    """
    noise = torch.tensor([-1.5, 0.3, 1.0], dtype=torch.float64)
    expected = STRONG ** (1 + w) * WEAK**-w * noise
    guided = Guided(Denoiser(STRONG), Denoiser(WEAK), w)
    torch.testing.assert_close(heun(guided, noise, noise_levels(400, 1e-4, 400.0)), expected, rtol=1e-3, atol=0)
    guided = Guided(Velocity(STRONG), Velocity(WEAK), w)
    torch.testing.assert_close(matching.heun(guided, noise, 400), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("w", "same"), [(0.0, 0), (-1.0, 1)])
def test_without_guidance_it_is_either_model(make_network, w, same):
    networks = [make_network(seed).eval() for seed in (0, 1)]
    sampler = {"steps": 3, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}
    images, classes = draw(Guided(*networks, w).eval(), range(6), sampler)
    expected, of = draw(networks[same], range(6), sampler)
    assert torch.equal(classes, of)
    assert (images.int() - expected.int()).abs().max() <= 1  # rounding
    assert (images.int() - draw(networks[1 - same], range(6), sampler)[0].int()).abs().max() > 20


def test_predictions_are_at_the_levels_of_the_sampler(make_network):
    network = make_network().eval()
    y, noise, labels = torch.rand(2, 1, 8, 8), torch.randn(2, 1, 8, 8), torch.tensor([3, 7])
    sampler = {"steps": 4, "sigma_min": 0.01, "sigma_max": 50, "rho": 7}
    levels = edm.levels(network, sampler)
    assert levels == pytest.approx(noise_levels(**sampler)[:4].tolist())
    hot = nn.functional.one_hot(labels, 10)
    expected = network(y + levels[1] * noise, levels[1], hot)
    torch.testing.assert_close(edm.predict(network, y, noise, levels[1], labels), expected)


def test_velocities_are_between_noise_and_data():
    network = flow.build(
        {"model_type": "DiT", "img_resolution": 8, "img_channels": 1, "label_dim": 10, "depth": 1}
        | {"hidden_size": 16, "num_heads": 2, "patch_size": 4}
    ).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    y, noise, labels = torch.rand(2, 1, 8, 8), torch.randn(2, 1, 8, 8), torch.tensor([3, 7])
    levels = flow.levels(network, {"method": "euler", "steps": 4})
    assert levels == [0, 0.25, 0.5, 0.75]
    expected = network((3 * noise + y) / 4, 0.25, nn.functional.one_hot(labels, 10))
    torch.testing.assert_close(flow.predict(network, y, noise, 0.25, labels), expected)


def test_which_families_can_be_guided():
    names = ("edm", "flow", "var", "xar", "imm")
    assert [hasattr(settings_of({"family": name}), "NOISE_LEVEL") for name in names] == [True, True, *3 * [False]]
