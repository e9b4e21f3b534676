"""Sampler, times and loss against closed forms; the sampler by the exact jumps of a Gaussian target.

With y ~ N(m, v²) and n ~ N(0, σ_d²), x_t = (1 − t)·y + t·n is N((1 − t)·m, (1 − t)²·v² + t²·σ_d²), and the
monotone map from time t to s is affine.
"""

import math
from itertools import pairwise

import pytest
import torch
from adaptive_neon.families.imm.matching import (
    draw_times,
    interpolate,
    laplace_kernel,
    moment_matching_loss,
    noise_to_signal,
    pushforward,
    time_of,
    time_steps,
    time_weight,
)

M, V, SIGMA = 0.3, 0.8, 0.5


def deviation(t):
    return ((1 - t) ** 2 * V**2 + t**2 * SIGMA**2) ** 0.5


def exact_jump(x, t, s):
    return (1 - s) * M + deviation(s) / deviation(t) * (x - (1 - t) * M)


@pytest.mark.parametrize(
    "schedule", [{"steps": 1}, {"steps": 5}, {"steps": 4, "discretization": "edm"}, {"steps": 2, "mid_nt": 1.4}]
)
def test_exact_jumps_reach_the_data_in_any_number_of_steps(schedule):
    noise = torch.linspace(-1, 1, 9)
    calls = []

    def jump(x, t, s):
        calls.append((float(t), float(s)))
        return exact_jump(x, t, s)

    found = pushforward(jump, noise, time_steps(highest=0.994, lowest=0.0, **schedule))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, exact_jump(noise.double(), 0.994, 0.0))
    assert len(calls) == schedule["steps"]
    assert (calls[0][0], calls[-1][1]) == pytest.approx((0.994, 0))
    assert all(before[1] == after[0] for before, after in pairwise(calls))


def test_time_steps():
    assert time_steps(4, 0.8, 0.0).tolist() == pytest.approx([0.8, 0.6, 0.4, 0.2, 0])
    eta = noise_to_signal(time_steps(3, 0.994, 0.006, "edm"))
    roots = (eta ** (1 / 7)).diff()
    torch.testing.assert_close(roots, roots[:1].expand(3))
    assert time_steps(2, 0.994, 0.006, mid_nt=1.4).tolist() == pytest.approx([0.994, 1.4 / 2.4, 0.006])


def test_times_of_training():
    """t is uniform, s is uniform below it, and between t and r the noise-to-signal ratio falls by a constant."""
    torch.manual_seed(0)
    t, r, s = (time.flatten() for time in draw_times(20_000, 0.994, 0.006, 9, 1e-4, torch.device("cpu")))
    assert t.dtype == torch.float64
    assert (s <= r).all() and (r < t).all() and s.min() >= 0.006 and t.max() <= 0.994
    assert t.mean().item() == pytest.approx(0.5, abs=4 * 0.988 / 12**0.5 / len(t) ** 0.5)
    assert ((s - 0.006) / (t - 0.006)).mean().item() == pytest.approx(0.5, abs=0.01)
    step = (0.994 / 0.006 - 0.006 / 0.994) / 2**9
    free = (r > s) & (t - r > 1.01e-4) & (r > 0.007)
    assert free.sum() > 1000
    torch.testing.assert_close((noise_to_signal(t) - noise_to_signal(r))[free], torch.full_like(t[free], step))
    torch.testing.assert_close(time_of(noise_to_signal(t)), t)


def test_the_path():
    t = torch.tensor([0.0, 0.25, 1.0])
    assert interpolate(torch.tensor(2.0), torch.tensor(-2.0), t).tolist() == [2, 1, -2]


def test_kernel_and_loss():
    """Of single particles at the distance 5 in 4 dimensions, and of pairs by two loops."""
    a, b = torch.zeros(1, 1, 2, 2).double(), torch.tensor([3.0, 4, 0, 0]).double().reshape(1, 1, 2, 2)
    w, weight = torch.tensor([0.7]).double(), torch.tensor([2.0]).double()
    same = math.exp(-0.7 * 1e-4 / 4)
    assert laplace_kernel(a, b, w).item() == pytest.approx(math.exp(-0.7 * 5 / 4))
    assert moment_matching_loss(a, b, w, weight).item() == pytest.approx(4 * (same - math.exp(-0.7 * 5 / 4)))

    torch.manual_seed(0)
    a, b = torch.randn(2, 3, 4, 1, 2, 5, dtype=torch.float64)
    w, weight = torch.rand(2, 3, dtype=torch.float64)

    def kernel(x, y, g):
        return math.exp(-w[g].item() * max((x - y).norm().item(), 1e-4) / 10)

    expected = [
        weight[g].item()
        * sum(
            kernel(a[g, i], a[g, j], g) + kernel(b[g, i], b[g, j], g) - 2 * kernel(a[g, i], b[g, j], g)
            for i in range(4)
            for j in range(4)
        )
        / 16
        for g in range(3)
    ]
    assert moment_matching_loss(a, b, w, weight).tolist() == pytest.approx(expected)
    assert moment_matching_loss(a, a, w, weight).abs().max() < 1e-12


def test_the_weight_of_a_time():
    """At t = ½ the signal-to-noise ratio is 1: α^a/(α² + σ²)·½·(−dλ/dt)·sigmoid(b) = 2^−a·2·½·8·sigmoid(b)."""
    weight = time_weight(torch.tensor([0.5, 0.9], dtype=torch.float64), a=2, b=4)
    assert weight[0].item() == pytest.approx(2 / (1 + math.exp(-4)))
    log_snr = 2 * math.log(0.1 / 0.9)
    assert weight[1].item() == pytest.approx(0.01 / 0.82 / 0.09 / (1 + math.exp(log_snr - 4)))
