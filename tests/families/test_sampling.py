from functools import partial

import numpy as np
import pytest
import torch
from adaptive_neon.families.edm.diffusion import heun, noise_levels
from adaptive_neon.families.edm.family import draw
from adaptive_neon.families.pixels import to_uint8
from adaptive_neon.families.sampling import sample_models, seeded_noise
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
