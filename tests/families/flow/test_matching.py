"""Samplers and loss against a Gaussian target, whose velocity field and flow map are known in closed form.

With n ~ N(0, 1) and y ~ N(m, s²), x_t = (1 − t)·n + t·y is N(t·m, v(t)) with v(t) = (1 − t)² + t²·s². The velocity
is E[y − n | x_t = x] = m + (t·s² − (1 − t)) / v(t) · (x − t·m), and it carries n to m + s·n.
"""

import importlib
import os
import sys
from itertools import pairwise

import pytest
import torch
from adaptive_neon.families.flow.matching import euler, flow_matching_loss, heun

M, S = 0.3, 0.5


def variance(t):
    return (1 - t) ** 2 + (t * S) ** 2


def velocity(x, t):
    return M + (t * S**2 - (1 - t)) / variance(t) * (x - t * M)


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2)])
def test_samplers_converge_to_the_flow_map_with_their_order(sampler, order):
    noise = torch.linspace(-3, 3, 13, dtype=torch.float64)
    errors = [(sampler(velocity, noise, steps) - (M + S * noise)).abs().max().item() for steps in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(2**order, rel=0.05)


@pytest.mark.parametrize(("sampler", "evaluations"), [(euler, 1), (heun, 2)])
def test_straight_paths_take_one_step(sampler, evaluations):
    """One data point: v = (y − x)/(1 − t) leads every noise along a line, so one step is exact."""
    calls = []

    def to_data(x, t):
        calls.append(float(t))
        return torch.full_like(x, 0.7) - x if t == 0 else 0.7 - torch.tensor([-1.0, 2.0])

    found = sampler(to_data, torch.tensor([-1.0, 2.0]), 1)
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([0.7, 0.7])
    assert calls == [0.0, 1.0][:evaluations]


def test_the_loss_of_the_exact_field():
    """It is the variance of y − n given x_t, ∫ s²/v(t) dt over [0, 1], within four standard errors."""
    torch.manual_seed(0)
    images = M + S * torch.randn(200_000, 1, 1, 1)
    loss = flow_matching_loss(velocity, images).flatten()
    t = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    exact = torch.trapezoid(S**2 / variance(t), t).item()
    assert abs(loss.mean().item() - exact) < 4 * loss.std().item() / len(loss) ** 0.5
    worse = flow_matching_loss(lambda x, t: velocity(x, t) + 0.2, images).mean().item()
    assert worse == pytest.approx(exact + 0.04, abs=0.02)


@pytest.fixture
def upstream(monkeypatch):
    """Imports a module of facebookresearch/flow_matching by name."""
    if "FLOW_MATCHING_REPO" not in os.environ:
        pytest.skip("FLOW_MATCHING_REPO is not set to a checkout of facebookresearch/flow_matching")
    monkeypatch.syspath_prepend(os.environ["FLOW_MATCHING_REPO"])
    yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] == "flow_matching"]:
        del sys.modules[name]


def test_paths_equal_upstream(upstream, monkeypatch):
    """The state, its time and the target of a training step, from the same noise."""
    path = upstream("flow_matching.path").CondOTProbPath()
    torch.manual_seed(1)
    images = torch.randn(4, 3, 2, 2)
    seen = {}

    def field(x, t):
        seen["x"], seen["t"] = x, t
        return torch.zeros_like(x)

    torch.manual_seed(2)
    loss = flow_matching_loss(field, images)
    torch.manual_seed(2)
    t, noise = torch.rand(4, 1, 1, 1).flatten(), torch.randn_like(images)
    sample = path.sample(x_0=noise, x_1=images, t=t)
    torch.testing.assert_close(seen["t"].flatten(), t, rtol=0, atol=0)
    torch.testing.assert_close(seen["x"], sample.x_t, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(loss, sample.dx_t**2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("sampler", "method"), [(euler, "euler"), (heun, "heun2")])
def test_samplers_equal_upstream(upstream, sampler, method):
    solver = upstream("flow_matching.solver").ODESolver(velocity_model=velocity)
    noise = torch.randn(8, 1, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = solver.sample(noise, step_size=0.1, method=method)
    torch.testing.assert_close(sampler(velocity, noise, 10), expected, rtol=1e-9, atol=1e-9)
