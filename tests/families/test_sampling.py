from functools import partial

import numpy as np
import pytest
import torch
from adaptive_neon.families.edm.diffusion import heun, noise_levels
from adaptive_neon.families.edm.family import draw
from adaptive_neon.families.flow import family as flow
from adaptive_neon.families.pixels import to_uint8
from adaptive_neon.families.sampling import antithetic, noise_and_streams, sample_models, seeded_noise
from adaptive_neon.jobs.rolling import RollingCheckpoint

SAMPLER = {"steps": 3, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}
SEEDS = range(1000, 1010)
DRAW = partial(draw, sampler=SAMPLER)


@pytest.fixture
def rolling(tmp_path):
    return RollingCheckpoint(tmp_path / "images.npz", "", minutes=0)


@pytest.fixture
def sample(make_network, tmp_path):
    """`sample_models` of networks by name, without a saved state."""

    def run(networks, seeds=SEEDS, batch=4):
        rolling = RollingCheckpoint(tmp_path / "never.npz", "", minutes=1e9)
        return sample_models(networks.__getitem__, DRAW, list(networks), seeds, batch, rolling)

    return run


class Constant(torch.nn.Module):
    """A denoiser that knows one answer, and fails for batches of a certain size."""

    img_channels, img_resolution, label_dim = 3, 4, 0
    sigma_min, sigma_max = 0, float("inf")

    def __init__(self, value, fails_at=None):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))
        self.fails_at = fails_at

    def forward(self, x, sigma, class_labels, dtype):
        return torch.zeros_like(x) + (torch.nan if len(x) == self.fails_at else self.value)


def test_images_are_what_the_denoiser_says(sample):
    """The last step ends at D(x, σ_min), and x·127.5 + 128 is its grey level."""
    images, classes = sample({"half": Constant(0.5), "dark": Constant(-2.0)})
    assert images["half"].shape == images["dark"].shape == (10, 4, 4, 3)
    assert np.unique(images["half"]) == [191]
    assert np.unique(images["dark"]) == [0]
    assert classes.tolist() == [0] * 10


@pytest.mark.parametrize("batch", [3, 7])
def test_images_do_not_depend_on_the_batch(make_network, sample, batch):
    networks = {"a": make_network(0), "b": make_network(1)}
    expected, expected_classes = sample(networks, batch=len(SEEDS))
    images, classes = sample(networks, batch=batch)
    assert np.array_equal(classes, expected_classes)
    assert np.array_equal(classes, seeded_noise(SEEDS, (1, 8, 8), 10)[1])
    for name in networks:
        assert images[name].dtype == np.uint8
        assert images[name].shape == (10, 8, 8, 1)
        assert expected[name].std() > 20
        # Convolutions may round otherwise in another batch.
        assert np.abs(images[name].astype(int) - expected[name]).max() <= 1
    assert not np.array_equal(images["a"], images["b"])


def test_images_follow_the_order_of_the_seeds(make_network, sample):
    networks = {"a": make_network()}
    forward, classes = sample(networks, batch=len(SEEDS))
    backward, classes_backward = sample(networks, list(reversed(SEEDS)), batch=len(SEEDS))
    assert np.array_equal(classes_backward[::-1], classes)
    assert np.abs(backward["a"][::-1].astype(int) - forward["a"]).max() <= 1


def test_each_image_is_of_its_class(make_network):
    network = make_network().eval()
    images, classes = DRAW(network, SEEDS)
    noise, _ = seeded_noise(SEEDS, (1, 8, 8), 10)
    with torch.inference_mode():
        for label in (classes, (classes + 1) % 10):
            one_hot = torch.nn.functional.one_hot(label, 10)
            expected = to_uint8(
                heun(lambda x, sigma, y=one_hot: network(x, sigma, y), noise, noise_levels(**SAMPLER))
            )
            assert torch.equal(images, expected) == (label is classes)
            assert torch.equal(DRAW(network, SEEDS, classes=label)[0], expected)


@pytest.mark.parametrize("bad", [Constant(float("nan")), Constant(float("inf")), Constant(0.5, fails_at=2)])
def test_a_diverged_model_has_no_images(sample, bad):
    """Of ten seeds in batches of four, the last batch holds two."""
    images, classes = sample({"before": Constant(0.5), "bad": bad, "after": Constant(0.5)})
    assert images["bad"].shape == (0, 4, 4, 3)
    assert images["bad"].dtype == np.uint8
    assert len(images["before"]) == len(images["after"]) == len(classes) == 10


def test_models_are_loaded_once_in_their_turn(rolling):
    calls = []

    def load(name):
        calls.append(name)
        return Constant(0.5)

    sample_models(load, DRAW, ["a", "b"], SEEDS, 4, rolling, lambda images: calls.append(images))
    assert calls == [0, "a", 4, 4, 2, "b", 4, 4, 2]


@pytest.mark.parametrize("killed_at", [2, 4])
def test_a_killed_job_continues_where_it_was(make_network, rolling, sample, killed_at):
    """Three batches a model: killed in the middle of the first, and where the second begins."""
    networks = {"a": make_network(0), "b": make_network(1), "broken": make_network(2)}
    with torch.no_grad():
        next(networks["broken"].parameters()).fill_(torch.nan)
    expected, expected_classes = sample(networks)
    ticks, loaded = [], []

    def load(name):
        loaded.append(name)
        return networks[name]

    def kill(images):
        ticks.append(images)
        if len(ticks) == killed_at + 1:  # the first tick is what was finished before
            raise KeyboardInterrupt

    arguments = load, DRAW, list(networks), SEEDS, 4, rolling
    with pytest.raises(KeyboardInterrupt):
        sample_models(*arguments, kill)
    ticks.clear(), loaded.clear()
    images, classes = sample_models(*arguments, ticks.append)
    kept = killed_at - 1
    assert ticks == [[4, 8, 10][kept - 1], *[4, 4, 2, 4, 4, 2, 4, 4, 2][kept:]]
    assert set(loaded) == set(list(networks)[kept // 3 :])
    assert np.array_equal(classes, expected_classes)
    for name in networks:
        assert np.array_equal(images[name], expected[name])


@pytest.mark.parametrize("classes", [1, 3])
def test_antithetic_noise_cancels_in_pairs(classes):
    """Of each 2L seeds the first L are as ever, the others the negated noise of these, whatever else is drawn."""
    seeds = antithetic(range(12 * classes, 16 * classes), classes)
    noise, labels = seeded_noise(seeds, (2, 4, 4), 10)
    first, second = noise.unflatten(0, (-1, 2, classes)).unbind(1)
    assert torch.equal(first, -second)
    assert first.std() > 0.5
    assert torch.equal(*labels.unflatten(0, (-1, 2, classes)).unbind(1))
    for i, seed in enumerate(seeds):
        alone, label = seeded_noise([seed], (2, 4, 4), 10)
        assert torch.equal(alone[0], noise[i])
        assert label[0] == labels[i]
        if i // classes % 2 == 0:
            assert torch.equal(alone, seeded_noise([int(seed)], (2, 4, 4), 10)[0])


def test_noise_on_the_way_is_the_seeds_own():
    """A pair shares no number of it, and the first image of a pair goes on as if it were alone."""
    _, _, (alone,) = noise_and_streams([4], (2,), 10)
    _, _, streams = noise_and_streams(antithetic([4, 5], 1), (2,), 10)
    of_alone, first, second = (torch.randn(3, generator=stream) for stream in (alone, *streams))
    assert torch.equal(of_alone, first)
    assert torch.equal(second, torch.randn(3, generator=torch.Generator().manual_seed(5)))
    assert not torch.equal(first, second)


class Linear(torch.nn.Module):
    """The best denoiser of N(0, 0.3²): its images are linear in their noise."""

    img_channels, img_resolution, label_dim = 1, 8, 0
    sigma_min, sigma_max = 0, float("inf")

    def __init__(self):
        super().__init__()
        self.variance = torch.nn.Parameter(torch.tensor(0.09))

    def forward(self, x, level, class_labels=None, dtype=None):
        return self.variance / (self.variance + level**2) * x


class Shrinking(Linear):
    """So are those of this velocity field."""

    def forward(self, x, t, class_labels=None, dtype=None):
        return -x


@pytest.mark.parametrize(
    ("draw", "network", "sampler"),
    [(draw, Linear(), SAMPLER | {"steps": 18}), (flow.draw, Shrinking(), {"method": "euler", "steps": 4})],
)
def test_antithetic_images_of_a_linear_network_mirror_each_other(draw, network, sampler):
    """Grey level 128 + 127.5·x against 128 − 127.5·x, rounded; black and white are clipped."""
    images, _ = draw(network, antithetic(range(6), 1), sampler)
    first, second = images.int().unflatten(0, (-1, 2)).unbind(1)
    inside = (first > 0) & (first < 255) & (second > 0) & (second < 255)
    assert inside.float().mean() > 0.9
    assert (first + second - 256)[inside].abs().max() <= 1
    assert (first - second).abs().float().mean() > 20
