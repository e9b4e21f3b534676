import math
from itertools import pairwise

import pytest
import torch
from adaptive_neon.families.edm.diffusion import edm_loss, heun, noise_levels
from adaptive_neon.families.pixels import from_uint8, to_uint8
from adaptive_neon.families.sampling import seeded_noise

MEAN, DEVIATION = 0.3, 0.5


def gaussian_denoiser(x, sigma):
    """D(x, σ) for data N(μ, s²): the mean of the clean image given the noisy one."""
    return (DEVIATION**2 * x + sigma**2 * MEAN) / (DEVIATION**2 + sigma**2)


def gaussian_sample(noise, sigma_max):
    """Where the probability-flow ODE of that denoiser leads from σ_max·noise: exact."""
    return MEAN + (sigma_max * noise - MEAN) * DEVIATION / math.hypot(DEVIATION, sigma_max)


# Noise levels


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((5, 1, 9, 1), [9, 7, 5, 3, 1, 0]),
        ((3, 1, 9, 2), [9, 4, 1, 0]),
        ((2, 0.01, 50, 7), [50, 0.01, 0]),
    ],
)
def test_noise_levels_where_the_root_is_plain(arguments, expected):
    assert noise_levels(*arguments).tolist() == pytest.approx(expected, rel=1e-13)


def test_noise_levels_of_the_paper():
    """EDM, eq. 5 with 18 steps, worked out with 30 digits."""
    sigmas = noise_levels(18)
    assert sigmas.shape == (19,)
    assert sigmas.dtype == torch.float64
    expected = [80, 57.585984721248, 1.92333983704, 0.0075280199627841, 0.002, 0]
    assert sigmas[[0, 1, 9, 16, 17, 18]].tolist() == pytest.approx(expected, rel=1e-12)


# Sampler


def test_heun_converges_with_second_order():
    noise = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.5], dtype=torch.float64)
    exact = gaussian_sample(noise, 80)
    errors = [
        (heun(gaussian_denoiser, noise, noise_levels(steps)) - exact).abs().max() for steps in (20, 40, 80, 160)
    ]
    assert errors[0] < 0.05
    assert errors[-1] < 1e-3
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert all(1.8 < order < 2.5 for order in orders), orders


def test_heun_draws_the_data():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 1, generator=generator)
    x = heun(gaussian_denoiser, noise, noise_levels(40))
    assert x.shape == noise.shape
    assert x.dtype == torch.float64
    # 4 standard errors
    assert x.mean().item() == pytest.approx(MEAN, abs=4 * DEVIATION / math.sqrt(len(x)))
    assert x.std().item() == pytest.approx(DEVIATION, rel=4 / math.sqrt(2 * len(x)))


@pytest.mark.parametrize("steps", [2, 18])
def test_heun_evaluates_the_denoiser_twice_a_step_but_the_last(steps):
    seen = []

    def denoise(x, sigma):
        seen.append(float(sigma))
        return gaussian_denoiser(x, sigma)

    sigmas = noise_levels(steps)
    heun(denoise, torch.zeros(1, 1), sigmas)
    assert len(seen) == 2 * steps - 1
    assert seen[::2] == sigmas[:-1].tolist()
    assert seen[1::2] == sigmas[1:-1].tolist()


def test_sampler_equals_upstream(edm, make_network):
    upstream = edm("generate").edm_sampler
    network = make_network(num_blocks=2).eval()
    network.round_sigma = torch.as_tensor
    noise, classes = seeded_noise(range(4), (1, 8, 8), 10)
    one_hot = torch.eye(10)[classes]
    with torch.inference_mode():
        expected = upstream(network, noise, one_hot, num_steps=18)
        found = heun(lambda x, sigma: network(x, sigma, one_hot), noise, noise_levels(18))
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 1e-5


# Random streams


def test_seeded_noise_is_torchs_stream():
    """Seed 0 starts with the numbers that torch users know by heart."""
    noise, classes = seeded_noise([5, 0], (1, 8, 8))
    assert noise.shape == (2, 1, 8, 8)
    assert noise.dtype == torch.float32
    assert noise[1].flatten()[:5].tolist() == pytest.approx([-1.1258, -1.1524, -0.2506, -0.4339, 0.8487], abs=1e-4)
    assert classes.tolist() == [0, 0]


def test_an_image_depends_on_its_seed_alone():
    noise, classes = seeded_noise(range(100, 200), (1, 4, 4), 10)
    torch.rand(7)
    for seed in (199, 100, 120):
        alone = seeded_noise([seed], (1, 4, 4), 10)
        assert torch.equal(alone[0][0], noise[seed - 100])
        assert alone[1][0] == classes[seed - 100]
    assert torch.equal(seeded_noise(range(100, 200), (1, 4, 4))[0], noise)
    assert len(noise.unique(dim=0)) == 100
    assert set(classes.tolist()) == set(range(10))


def test_random_streams_equal_upstream(edm):
    """Of generate.py on a CPU: latents first, then the class."""
    seeds = [0, 1, 77, 4_294_967_295]
    stream = edm("generate").StackedRandomGenerator("cpu", seeds)
    expected = stream.randn([4, 3, 8, 8], device="cpu"), stream.randint(10, size=[4], device="cpu")
    found = seeded_noise(seeds, (3, 8, 8), 10)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


# Loss


def test_loss_weight_and_distribution_of_noise():
    """Table 1: λ(σ) = (σ² + σ_data²)/(σ·σ_data)², ln σ ~ N(−1.2, 1.2²)."""
    torch.manual_seed(0)
    images = torch.full([20_000, 1, 2, 2], 0.7)
    seen = {}

    def denoise(x, sigma):
        seen.update(x=x, sigma=sigma)
        return torch.zeros_like(x)

    loss = edm_loss(denoise, images, sigma_data=0.4)
    sigma = seen["sigma"]
    assert sigma.shape == (20_000, 1, 1, 1)
    torch.testing.assert_close(loss, (1 / 0.4**2 + 1 / sigma**2) * torch.full_like(images, 0.49))
    # 4 standard errors
    assert sigma.log().mean().item() == pytest.approx(-1.2, abs=4 * 1.2 / math.sqrt(20_000))
    assert sigma.log().std().item() == pytest.approx(1.2, rel=4 / math.sqrt(40_000))
    noise = (seen["x"] - images) / sigma
    assert noise.mean().item() == pytest.approx(0, abs=4 / math.sqrt(80_000))
    assert noise.std().item() == pytest.approx(1, rel=4 / math.sqrt(160_000))


def test_loss_equals_upstream(edm, make_network):
    network = make_network().eval()
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(6, 1, 8, 8, generator=generator) * 2 - 1
    labels = torch.eye(10)[:6]
    torch.manual_seed(3)
    expected = edm("training.loss").EDMLoss()(network, images, labels)
    torch.manual_seed(3)
    found = edm_loss(lambda x, sigma: network(x, sigma, labels), images)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


# Pixels


def test_pixels_are_scaled_clipped_and_truncated():
    """x·127.5 + 128: 0.0078 is 128.99, still 128."""
    values = {-9.0: 0, -1.0: 0, -0.5: 64, 0.0: 128, 0.0078: 128, 0.00785: 129, 0.99: 254, 1.0: 255, 9.0: 255}
    assert to_uint8(torch.tensor([*values]).reshape(1, 1, 1, -1)).flatten().tolist() == [*values.values()]


def test_pixels_there_and_back():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 8, 16, 2)
    images = from_uint8(pixels)
    assert images.shape == (1, 2, 8, 16)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    assert images[0, 1, 3, 5] == pytest.approx(pixels[0, 3, 5, 1].item() / 127.5 - 1)
    assert torch.equal(to_uint8(images), pixels)
    assert torch.equal(to_uint8(images.double()), pixels)
