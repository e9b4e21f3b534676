import numpy as np
import pytest
import torch
from adaptive_neon.toy.autoregressive import Autoregressive
from adaptive_neon.toy.gaussian import COVARIANCE, real_data, stream
from adaptive_neon.toy.network import stack
from torch.distributions import MultivariateNormal


def linear_model(mean1, std1, slope, intercept, std2):
    """x₁ ~ N(mean1, std1²), x₂ | x₁ ~ N(slope·x₁ + intercept, std2²), as x₁ = ReLU(x₁) − ReLU(−x₁)."""
    model = {name: np.zeros_like(array) for name, array in Autoregressive().initial(stream(0, "")).items()}
    model["first.mean"][:], model["first.log_std"][:] = mean1, np.log(std1)
    model["hidden1.weight"][:2, 0] = 1, -1
    model["hidden2.weight"][[0, 1], [0, 1]] = 1
    model["output.weight"][0, :2] = slope, -slope
    model["output.bias"][:, 0] = intercept, np.log(std2)
    return model


# The truth, factored: x₂ | x₁ ~ N(x₁/2, 3/2).
TRUTH = linear_model(0, np.sqrt(2), 0.5, 0, np.sqrt(1.5))


def test_loss_is_the_negative_log_density():
    x = real_data(50, stream(0, "x"))
    truth = MultivariateNormal(torch.zeros(2), COVARIANCE.float())
    loss = Autoregressive().loss(stack([TRUTH]), x, stream(0, ""))
    assert loss.item() == pytest.approx(-truth.log_prob(x.T).mean().item(), rel=1e-5)


@pytest.mark.parametrize("tau", [0.5, 1.0, 1.6])
def test_temperature_scales_both_standard_deviations(tau):
    model = linear_model(0.3, 1.2, -0.7, 0.1, 0.8)
    draws = torch.randn(1, 2, 50, generator=stream(0, "draws"))
    x1, x2 = Autoregressive().sample(stack([model]), draws, tau)[0]
    torch.testing.assert_close(x1, 0.3 + tau * 1.2 * draws[0, 0])
    torch.testing.assert_close(x2, -0.7 * x1 + 0.1 + tau * 0.8 * draws[0, 1])


def test_log_standard_deviations_are_clamped():
    model = linear_model(0, np.exp(9), 0, 0, np.exp(-9))
    draws = torch.ones(1, 2, 1)
    x = Autoregressive().sample(stack([model]), draws)[0, :, 0]
    torch.testing.assert_close(x, torch.exp(torch.tensor([3.0, -6.0])))


def test_models_are_sampled_together_as_one_by_one():
    family = Autoregressive()
    models = [family.initial(stream(seed, "test")) for seed in range(5)]
    draws = family.draws(33, stream(0, "draws"))
    together = family.sample(stack(models), draws, 1.6)
    for model, x in zip(models, together, strict=True):
        torch.testing.assert_close(family.sample(stack([model]), draws, 1.6)[0], x)
