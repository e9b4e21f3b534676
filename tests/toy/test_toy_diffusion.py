import math

import numpy as np
import pytest
import torch
from adaptive_neon.toy.diffusion import Diffusion, alpha_bar, ddim
from adaptive_neon.toy.gaussian import COVARIANCE, stream
from adaptive_neon.toy.network import stack
from torch import nn

TRUTH = COVARIANCE.numpy()


def exact_noise(steps, mean, covariance):
    """E[ε | x] for Gaussian data: √(1−ᾱ) (ᾱΣ + (1−ᾱ)I)⁻¹ (x − √ᾱ μ)."""
    schedule = alpha_bar(steps)
    mean, covariance = torch.as_tensor(mean).double()[:, None], torch.as_tensor(covariance).double()

    def predict(x, time):
        a = schedule[round(time * (steps - 1))]
        marginal = a * covariance + (1 - a) * torch.eye(2).double()
        return (1 - a).sqrt() * torch.linalg.inv(marginal) @ (x - a.sqrt() * mean)

    return predict


def exact_moments(sample, k):
    """Mean and covariance of what a sampler makes that is affine in its k standard normal 2-vectors."""
    basis = torch.eye(2 * k).double().reshape(k, 2, 2 * k)
    draws = torch.cat([torch.zeros(k, 2, 1).double(), basis], dim=-1)
    x = sample(draws[:, None])[0]
    mean, columns = x[:, 0], x[:, 1:] - x[:, :1]
    return mean.numpy(), (columns @ columns.T).numpy()


def recursion(steps, eta, zeta, covariance):
    """Covariance of x_t under DDIM with the exact noise of N(0, Σ), step by step (Song et al. 2021, eq. 12)."""
    schedule = alpha_bar(steps).numpy()
    now_covariance = np.eye(2)
    for now, to in zip(schedule[:0:-1], schedule[-2::-1], strict=True):
        noise = np.sqrt(1 - now) * np.linalg.inv(now * covariance + (1 - now) * np.eye(2))
        clean = (np.eye(2) - zeta * np.sqrt(1 - now) * noise) / np.sqrt(now)
        beta = (1 - to) / (1 - now) * (1 - now / to)
        step = np.sqrt(to) * clean + np.sqrt(1 - to - eta**2 * beta) * noise
        now_covariance = step @ now_covariance @ step.T + eta**2 * beta * np.eye(2)
    return now_covariance


def test_cosine_schedule():
    a = alpha_bar(1000)
    assert a[0] == 1
    assert a[500].item() == pytest.approx(0.4938436, abs=1e-6)  # cos²(0.508/1.008 · 90°) / cos²(0.008/1.008 · 90°)
    betas = 1 - a[1:] / a[:-1]
    assert (betas > 0).all()
    assert betas[-1] < 0.999  # the bound at which Nichol and Dhariwal clip


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("zeta", [0.9, 1.0, 1.1])
def test_twenty_steps_follow_the_linear_gaussian_recursion(eta, zeta):
    predict = exact_noise(20, [0, 0], TRUTH)
    mean, covariance = exact_moments(lambda draws: ddim(predict, draws, 20, eta, zeta), 19)
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(covariance, recursion(20, eta, zeta, TRUTH), rtol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_many_steps_sample_the_distribution_itself(eta):
    steps = 1000
    predict = exact_noise(steps, [1, -2], TRUTH)
    mean, covariance = exact_moments(lambda draws: ddim(predict, draws, steps, eta), steps - 1)
    np.testing.assert_allclose(mean, [1, -2], atol=0.01)
    np.testing.assert_allclose(covariance, TRUTH, atol=0.02)


def test_zeta_above_one_shrinks_the_samples():
    traces = [np.trace(recursion(20, 0.0, zeta, TRUTH)) for zeta in (1.1, 1.0, 0.9)]
    assert traces == sorted(traces)


def test_published_variance_is_zero():
    """1 − α_t/ᾱ_t with α_t = ᾱ_t/ᾱ_{t−1}, as published, is never positive: `eta` is 0 in effect."""
    schedule = alpha_bar(20)
    alpha = schedule[1:] / schedule[:-1]
    assert (1 - alpha / schedule[1:]).max() <= 0


def plain_network(model):
    """The network as the papers draw it, made of PyTorch's own layers."""
    layers = []
    for name in Diffusion.blocks:
        weight, bias = model[f"{name}.weight"], model[f"{name}.bias"]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data, layer.bias.data = torch.from_numpy(weight), torch.from_numpy(bias[:, 0])
        layers += [layer, nn.ReLU()] if name.startswith("block") else [layer]
    return nn.Sequential(*layers)


def test_network_is_the_published_one():
    family = Diffusion()
    model = family.initial(stream(0, "test"))
    x, time = torch.randn(2, 7, generator=stream(0, "x")), torch.rand(7, generator=stream(0, "time"))
    expected = plain_network(model)(torch.cat([x, time[None]]).T).T
    found = family.predictor(stack([model]))(x[None], time)[0]
    torch.testing.assert_close(found, expected)
    assert sum(array.size for array in model.values()) == 128 + 4 * 1056 + 66


def test_initial_values_are_uniform_within_the_bounds_of_pytorch():
    model = Diffusion().initial(stream(0, "test"))
    for name, fan_in in (("input", 3), ("block2", 32), ("output", 32)):
        bound = 1 / math.sqrt(fan_in)
        assert abs(model[f"{name}.weight"]).max() == pytest.approx(bound, rel=0.15)
        assert abs(model[f"{name}.weight"]).max() <= bound
    assert model["block1.weight"].std() == pytest.approx(1 / math.sqrt(3 * 32), rel=0.1)


def test_models_are_sampled_together_as_one_by_one():
    family = Diffusion(eta=1.0)
    models = [family.initial(stream(seed, "test")) for seed in range(5)]
    draws = family.draws(33, stream(0, "draws"))
    together = family.sample(stack(models), draws, 1.1)
    for model, x in zip(models, together, strict=True):
        torch.testing.assert_close(family.sample(stack([model]), draws, 1.1)[0], x)


def test_loss_of_the_zero_predictor_is_one():
    """With the output layer zero the error is the noise itself: mean square 1."""
    family = Diffusion()
    model = family.initial(stream(0, "test"))
    model["output.weight"][:] = model["output.bias"][:] = 0
    loss = family.loss(stack([model]), torch.randn(2, 100_000), stream(0, "loss"))
    assert loss.item() == pytest.approx(1, abs=4 * math.sqrt(2 / 200_000))
