"""Gradient descent on the FID: against Gaussian images whose FID is known in closed form, and differences."""

from functools import partial

import numpy as np
import pytest
import torch
from adaptive_neon.evaluation.distances import Moments, frechet_distance, reference_statistics
from adaptive_neon.families.checkpoints import Checkpoint
from adaptive_neon.families.edm import family as edm
from adaptive_neon.families.edm.diffusion import heun, noise_levels
from adaptive_neon.families.edm.settings import is_weight
from adaptive_neon.families.flow import family as flow
from adaptive_neon.families.loading import arrays, load
from adaptive_neon.families.pixels import one_hot, to_levels, to_uint8
from adaptive_neon.families.sampling import seeded_noise
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.merging.blocks import assign_layers
from adaptive_neon.merging.drift import Drift
from adaptive_neon.merging.extrapolation import Merged
from adaptive_neon.search.gradient import Check, MergedNetwork, descend, merged_features
from adaptive_neon.search.rounds import best_on_line, described, outcome
from adaptive_neon.statistics.jackknife import JackknifeReplicates

SAMPLER = {"steps": 3, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}
REAL_MEAN, REAL_DEVIATION = np.array([1.0, 0.0, -1.0, 0.5]), np.array([1.0, 0.5, 2.0, 1.5])
SHIFT = np.array([[0.8, -0.2, 0.1], [0.0, 0.5, 0.3], [-0.4, 0.1, 0.6], [0.2, 0.2, -0.7]])
SCALE = np.array([[0.3, 0.0, 0.1], [-0.4, 0.1, 0.0], [0.1, 0.5, 0.2], [0.0, 0.2, 0.4]])
REAL = reference_statistics(REAL_MEAN, np.diag(REAL_DEVIATION**2))


def gaussian(w, seeds):
    """Features of N(M·w, (1 + S·w)²) in four dimensions, one part of seven images and the rest."""
    z = torch.randn(len(seeds), 4, dtype=torch.float64, generator=stream(seeds[0]))
    for part in (z[:7], z[7:]):
        yield torch.tensor(SHIFT) @ w + (1 + torch.tensor(SCALE) @ w) * part


def stream(seed):
    return torch.Generator().manual_seed(seed)


def fid(w):
    """|μ − μ_r|² + Σ (σ − σ_r)²."""
    w = np.array(w)
    return ((SHIFT @ w - REAL_MEAN) ** 2).sum() + ((1 + SCALE @ w - REAL_DEVIATION) ** 2).sum()


def optimum():
    return np.linalg.lstsq(np.vstack([SHIFT, SCALE]), np.concatenate([REAL_MEAN, REAL_DEVIATION - 1]), rcond=None)[
        0
    ]


def check(weights, images=1000):
    w = torch.tensor(weights, dtype=torch.float64)
    return torch.cat(list(gaussian(w, range(10**6, 10**6 + images)))).numpy()


def descent(images=100, steps=150, rolling=None, features=gaussian, lr=0.05, choose=check):
    return descend(features, choose, REAL, [0.5] * 3, range(images * steps), steps, lr, 4, rolling)


@pytest.mark.parametrize(("images", "steps"), [(20, 150), (100, 80)])
def test_it_ends_where_the_fid_is_lowest_however_small_the_steps(images, steps):
    """The FID of 20 images is too high by about 0.5, and by more where they vary more."""
    checks = descent(images, steps)
    assert checks[0].weights == [0.5] * 3 and checks[0].step == 0 and len(checks) == 6
    best = min(checks, key=lambda one: one.fid.full)
    np.testing.assert_allclose(checks[-1].weights, optimum(), atol=0.12)
    lowest = fid(optimum())
    assert fid([0.5] * 3) - lowest > 0.5
    assert fid(best.weights) - lowest < 0.03
    for one in checks:
        assert one.fid.full == pytest.approx(frechet_distance(REAL, Moments(check(one.weights))))


def test_a_killed_search_ends_where_it_would_have(tmp_path):
    rolling = partial(RollingCheckpoint, tmp_path / "found.json", "", minutes=0)
    steps = 20

    def killed(w, seeds):
        if seeds[0] >= 13 * 100:
            raise KeyboardInterrupt
        return gaussian(w, seeds)

    with pytest.raises(KeyboardInterrupt):
        descent(steps=steps, rolling=rolling(), features=killed)
    drawn = []

    def counted(w, seeds):
        drawn.extend(seeds)
        return gaussian(w, seeds)

    checks = descent(steps=steps, rolling=rolling(), features=counted)
    assert drawn == list(range(1300, 2000))
    for one, other in zip(checks, descent(steps=steps), strict=True):
        assert (one.step, one.weights, one.fid.full) == (other.step, other.weights, other.fid.full)
        np.testing.assert_array_equal(one.fid.without, other.fid.without)


def test_it_ends_where_the_model_diverges(refuses):
    def diverging(w, seeds):
        for part in gaussian(w, seeds):
            yield part if seeds[0] < 700 else part * torch.nan

    assert [one.step for one in descent(steps=20, features=diverging)] == [0, 4]
    with refuses("the best single weight diverges"):
        descent(choose=lambda weights: np.empty(0))


@pytest.fixture
def pair(make_network):
    return make_network(0).eval(), make_network(1).eval()


def by_layers(pair):
    base, tuned = map(arrays, pair)
    weights = list(filter(is_weight, base))
    block_of = assign_layers(weights)
    blocks = list(dict.fromkeys(block_of.values()))
    drift = {name: torch.from_numpy(Drift(base, tuned)[name]).float() for name in weights}
    return base, tuned, block_of, blocks, drift


def test_the_gradient_of_images_is_that_of_differences(pair, tiny):
    """Of a sum of pixels of the sampler's images, by three of the layers, and by all at once."""
    base, tuned, block_of, blocks, drift = by_layers(pair)
    place = {name: blocks.index(block) for name, block in block_of.items()}
    noise, labels = seeded_noise(range(5), (1, 8, 8), 10)
    hot, sigmas = one_hot(labels, 10, torch.device("cpu")), noise_levels(3)
    pixels = torch.randn(5, 1, 8, 8, generator=stream(0), dtype=torch.float64)

    def total(network):
        return (heun(partial(network, class_labels=hot), noise, sigmas) * pixels).sum()

    def at(weights):
        merged = Merged(base, tuned, dict(zip(blocks, weights, strict=True)), block_of)
        with torch.no_grad():
            return float(total(load(Checkpoint(merged, tiny))))

    w = torch.full((len(blocks),), 0.3, dtype=torch.float64, requires_grad=True)
    value = total(MergedNetwork(pair[0], drift, place, w))
    value.backward()
    start = w.detach().numpy()
    assert value.item() == pytest.approx(at(start), rel=1e-4)
    sizes = w.grad.abs().argsort(descending=True)
    directions = [np.eye(len(blocks))[int(i)] for i in sizes[:3]] + [np.ones(len(blocks))]
    for direction in directions:
        step = 1e-3 * direction
        difference = (at(start + step) - at(start - step)) / 2e-3
        assert float(w.grad @ torch.from_numpy(direction)) == pytest.approx(difference, rel=0.02)


def test_a_merged_network_is_drawn_from_as_the_merge_in_a_file(pair, tiny):
    base, tuned, block_of, blocks, drift = by_layers(pair)
    place = {name: blocks.index(block) for name, block in block_of.items()}
    weights = np.linspace(-0.2, 0.2, len(blocks))
    merged = load(Checkpoint(Merged(base, tuned, dict(zip(blocks, weights, strict=True)), block_of), tiny))
    images, classes = edm.draw(merged, range(6), SAMPLER)

    def draw(network, seeds):
        found, labels = edm.draw(network, seeds, SAMPLER, differentiable=True)
        assert labels.tolist() == classes[seeds[0] : seeds[-1] + 1].tolist()
        return found

    w = torch.tensor(weights, requires_grad=True)
    parts = list(merged_features(pair[0], drift, place, draw, lambda x: x.flatten(1), 4)(w, range(6)))
    assert [len(part) for part in parts] == [4, 2]
    assert (torch.cat(parts) - images.flatten(1)).abs().max() <= 1  # float32 against float64 merges
    sum(part.sum() for part in parts).backward()
    assert torch.isfinite(w.grad).all() and (w.grad != 0).all()


def test_levels_are_those_of_uint8_and_have_the_gradient_of_what_is_truncated():
    x = torch.tensor([-1.2, -1.0, -0.31, 0.0, 0.7, 0.9999, 1.3]).double().reshape(1, 1, 1, 7).requires_grad_()
    levels = to_levels(x)
    assert torch.equal(levels, to_uint8(x.detach()).float())
    levels.sum().backward()
    assert x.grad.flatten().tolist() == [0, *[127.5] * 4, 0, 0]  # 0.9999 is 255.49, which is clipped
    assert len(to_levels(x * torch.nan)) == 0


@pytest.mark.parametrize(
    "sampler", [{"method": "heun", "steps": 2}, {"method": "euler", "steps": 2, "guidance": 1.5}]
)
def test_images_of_flow_matching_have_a_gradient_too(tiny, sampler):
    torch.manual_seed(0)
    network = flow.build(tiny).eval()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    images, classes = flow.draw(network, range(4), sampler)
    levels, same = flow.draw(network, range(4), sampler, differentiable=True)
    assert torch.equal(classes, same) and torch.equal(levels.detach(), images.float())
    levels.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def line(fids):
    """Single weights with these FIDs, the same in each block of seeds."""
    return {f"all~{w}": metrics(fid) for w, fid in fids.items()}


def metrics(fid):
    return {"images": 40, "dimension": 4, "fid": fid, "without_block": {"fid": [fid] * 4}}


@pytest.mark.parametrize(
    ("fids", "noise", "chosen"),
    [
        ([1.0, 0.9, 0.95], 0.001, 1),  # the last is worse than the one before
        ([1.0, 0.9, 0.95], 0.1, 2),  # and here not significantly
        ([1.0, 1.1, 1.05], 0.001, 0),
    ],
)
def test_the_last_place_wins_that_is_not_worse_than_another(fids, noise, chosen):
    points = line({0.0: 1.36, 0.5: 1.01, 1.0: 1.16})  # 1 + (w − 0.6)²
    (start,), _ = best_on_line((0.0, 1.0), list(points), [points]).best()
    assert start == 0.6
    own = noise * np.array([[1, -1, 1, -1], [-1, 1, 1, -1], [1, 1, -1, -1]])
    checks = [
        Check(step, [0.6, 0.6 + step / 10], JackknifeReplicates(fid, fid + own[step]))
        for step, fid in enumerate(fids)
    ]
    descent = described(["enc.conv", "dec.conv"], checks, 40, 20, 4)
    search = points | line({-1.0: 3.0})
    found = outcome("gradient", (0.0, 1.0), list(points), ["all~0.0"], "all~-1.0", [search], descent)
    best = ["all~0.6", "enc.conv~0.6_dec.conv~0.7", "enc.conv~0.6_dec.conv~0.8"][chosen]
    assert found["roles"] == {"base": "all~0.0", "collapsed": "all~-1.0", "global": "all~0.6", "blockwise": best}
    by = {name: (one["fid"], one["without_block"]["fid"]) for name, one in found["chosen_by"].items()}
    without = [(fid + own[step]).tolist() for step, fid in enumerate(fids)]
    assert by == {"all~0.6": (1.0, without[0]), best: (fids[chosen], without[chosen])}
    assert found["descent"]["chosen"] == chosen
    assert found["descent"]["fids"] == dict(enumerate(fids))
    assert (found["descent"]["checked"], found["descent"]["differentiated"]) == (120, 40)
    np.testing.assert_allclose(found["descent"]["single_interval"], 0.6)
