"""The cells of an image; loss and sampler against a Gaussian target, whose velocity is known in closed form."""

import pytest
import torch
from adaptive_neon.families.xar.matching import euler_maruyama, matching_loss, times
from adaptive_neon.families.xar.network import XAR, Grid, causal_mask, rope_tables

M, S = 0.3, 0.5


def velocity(x, t):
    """E[n − y | x_t = x] for y ~ N(M, S²) and x_t = (1 − t)·y + t·n."""
    return -M + (t - (1 - t) * S**2) / ((1 - t) ** 2 * S**2 + t**2) * (x - (1 - t) * M)


def test_samples_are_of_the_target():
    """Mean and variance follow from the linear recursion; many steps make them those of the target."""
    noise = torch.randn(20_000, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    samples = euler_maruyama(velocity, noise)
    assert samples.dtype == torch.float64
    assert samples.mean().item() == pytest.approx(M, abs=0.015)
    assert samples.std().item() == pytest.approx(S, rel=0.02)


def test_each_step_but_the_last_adds_its_noise():
    """dx = ((2 − t)·v + x) dt + √(2t) dw; with v = 0, x grows by −x·t′ and the noise."""
    assert times(3) == pytest.approx([1, 0.52, 0.04, 0])
    noise = torch.tensor([[1.0, 10.0, 100.0]])
    first = 1 - 0.48 + (2 * 0.48) ** 0.5 * 10
    second = first * (1 - 0.48) + (2 * 0.52 * 0.48) ** 0.5 * 100
    assert euler_maruyama(lambda x, t: 0 * x, noise).item() == pytest.approx(second * (1 - 0.04))


def test_the_loss_of_the_exact_field():
    """It is the variance of n − y given x_t, ∫ S²/v(t) p(t) dt, within four standard errors."""
    torch.manual_seed(0)
    y = M + S * torch.randn(100_000, 1, 1, 1)
    loss = matching_loss(lambda x, t: velocity(x, t[:, :, None, None]), y)
    t = torch.distributions.Normal(0, 1).icdf(torch.linspace(0, 1, 100_003, dtype=torch.float64)[1:-1]).sigmoid()
    exact = (S**2 / ((1 - t) ** 2 * S**2 + t**2)).mean().item()
    assert abs(loss.mean().item() - exact) < 4 * loss.std().item() / len(loss) ** 0.5


def test_cells_are_squares_in_reading_order():
    grid = Grid(cells=2, side=2, patch=2, channels=1)
    image = torch.arange(64).view(1, 1, 8, 8)
    cells = grid.split(image)
    assert grid.shape == cells.shape[1:] == (4, 4, 4)
    assert cells[0, 1, 2].tolist() == [20, 21, 28, 29]  # the second cell, its third token: rows 2 and 3
    x = torch.randn(2, 3, 12, 12)
    grid = Grid(cells=3, side=2, patch=2, channels=3)
    assert torch.equal(grid.join(grid.split(x)), x)


def test_a_token_sees_its_cell_and_those_before():
    mask = causal_mask(Grid(cells=2, side=1, patch=1, channels=1))[0, 0]
    assert torch.equal(mask == 0, torch.ones(4, 4).tril().bool())
    torch.manual_seed(0)
    network = XAR(8, 1, 10, 1, 2, 16, 1, 1, 2)
    x, t, classes = torch.randn(1, 4, 16, 1), torch.rand(1, 4), torch.tensor([3])
    moved = x.clone()
    moved[0, 2, 5] += 1
    with torch.inference_mode():
        changed = (network(moved, t, classes) != network(x, t, classes)).flatten(2).any(2)[0]
    assert changed.tolist() == [False, False, True, True]


def test_a_cache_gives_what_the_whole_sequence_does():
    torch.manual_seed(0)
    network = XAR(8, 1, 10, 1, 2, 16, 2, 1, 2).eval()
    x, t, classes = torch.randn(3, 4, 16, 1), torch.rand(3, 4), torch.tensor([3, 10, 0])
    cache = network.new_cache(3, torch.float32)
    with torch.inference_mode():
        parts = [network(x[:, [k]], t[:, [k]], classes, first=k, cache=cache) for k in range(4)]
        torch.testing.assert_close(torch.cat(parts, 1), network(x, t, classes), rtol=1e-4, atol=1e-5)


def test_rotation_follows_row_and_column():
    """Of heads 8 wide: two frequencies, 1 and 1/100, for the row, then for the column, each for a pair."""
    tables = rope_tables(8, Grid(cells=2, side=2, patch=1, channels=1))
    row, column = 2, 1  # the second token of the third cell
    angles = torch.tensor([row, row, row / 100, row / 100, column, column, column / 100, column / 100])
    torch.testing.assert_close(tables["freqs_cos"][9], angles.cos())
    torch.testing.assert_close(tables["freqs_sin"][9], angles.sin())
