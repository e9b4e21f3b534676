import math

import numpy as np
import pytest
import torch
from adaptive_neon.families.edm.augmentation import SYM6, augment, resample
from adaptive_neon.families.edm.settings import LABELS

# The arguments of EDM's training script.
PRESET = {"xflip": 1e8, "yflip": 1, "scale": 1, "rotate_frac": 1, "aniso": 1, "translate_frac": 1}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("probability", [0, 0.12, 0.5, 1])
@pytest.mark.parametrize("shape", [(16, 3, 32, 32), (7, 1, 8, 8), (4, 3, 64, 64), (6, 3, 12, 20)])
def test_equals_upstream(edm, shape, probability):
    pipe = edm("training.augment").AugmentPipe(p=probability, **PRESET)
    images = torch.rand(shape, generator=seeded(1)) * 2 - 1
    torch.manual_seed(2)
    expected, expected_labels = pipe(images)
    result, labels = augment(images, probability, seeded(2))
    torch.testing.assert_close(labels, expected_labels, rtol=0, atol=0)
    # Both are off by about 2e-5: positions of pixels in float32, in images of range 2.
    torch.testing.assert_close(result, expected, rtol=0, atol=6e-5)


def test_known_result():
    """Numbers that NVlabs/edm computed on a CPU from the same seed, with probability 1."""
    ramp = torch.arange(64.0).reshape(8, 8) / 32 - 1
    result, labels = augment(torch.stack([ramp, ramp.flip(0)])[:, None], 1, seeded(0))
    expected_labels = [
        [0, 1, -1.084522, -0.727723, -0.962219, -0.261314, 0, -1.071187, -0.566317],
        [1, 1, -1.398595, -0.006764, 0.116113, -0.750260, 0.758260, 0.122701, 0.373115],
    ]
    expected = [
        [[-0.561991, 0.299414, 0.384196], [-0.795285, 0.179040, 0.794612], [-0.753171, 0.044776, 0.871531]],
        [[-0.540795, -0.630979, -0.676369], [-0.152875, -0.252796, -0.396831], [0.725262, 0.679553, 0.532517]],
    ]
    np.testing.assert_allclose(labels, expected_labels, atol=2e-6)
    np.testing.assert_allclose(result[:, 0, ::3, ::3], expected, atol=1e-5)


def test_probability_zero_is_the_identity():
    images = torch.rand(9, 3, 16, 16, generator=seeded(1))
    result, labels = augment(images, 0, seeded())
    assert torch.equal(result, images)
    assert torch.equal(labels, torch.zeros(9, LABELS))


def test_mirroring_alone_is_exact():
    """At a probability of nearly 0 only left-right mirroring is left, of half the images."""
    images = torch.rand(64, 3, 16, 16, generator=seeded(1))
    result, labels = augment(images, 1e-8, seeded())
    mirrored = labels[:, 0] == 1
    assert 16 < mirrored.sum() < 48
    assert torch.equal(result, torch.where(mirrored[:, None, None, None], images.flip(3), images))
    assert not labels[:, 1:].any()


def test_random_numbers_are_the_generators():
    images = torch.rand(32, 1, 8, 8, generator=seeded(1))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second, other = (augment(images, 0.5, seeded(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(augment(images, 0.5)[0], augment(images, 0.5, seeded(5))[0])


def test_labels_follow_their_distributions():
    """Each within four standard errors of what the paper prescribes."""
    count, probability = 40_000, 0.3
    _, labels = augment(torch.zeros(count, 1, 4, 4), probability, seeded())
    labels = labels.double()
    mirror_x, mirror_y, scale, cos, sin, aniso_x, aniso_y, x, y = labels.T
    for happened, expected in [
        (mirror_x, 0.5),
        (mirror_y, probability / 2),
        (scale, probability),
        (sin, probability),
        (aniso_x, probability),
        (aniso_y, probability / 2),  # the axis is a random one half of the time
        (x, probability),
        (y, probability),
    ]:
        error = math.sqrt(expected * (1 - expected) / count)
        assert abs((happened != 0).double().mean() - expected) < 4 * error
    assert torch.equal(x != 0, y != 0)
    torch.testing.assert_close((cos + 1) ** 2 + sin**2, torch.ones(count).double(), atol=1e-6, rtol=0)
    for normal in (scale, x, y, torch.hypot(aniso_x, aniso_y)):
        drawn = normal[normal != 0]
        # The variance of the square of a standard normal variable is 2.
        assert abs(drawn.square().mean() - 1) < 4 * math.sqrt(2 / len(drawn))


def test_filter_is_the_low_pass_of_an_orthonormal_wavelet():
    """Σ h = √2, Σ h_k·h_{k+2n} = δ_n, and the six vanishing moments that define sym6 (Daubechies)."""
    h = np.array(SYM6)
    correlation = np.correlate(h, h, "full")[1::2]
    assert sum(h) == pytest.approx(math.sqrt(2), abs=1e-12)
    np.testing.assert_allclose(correlation, [0] * 5 + [1] + [0] * 5, atol=1e-11)
    k = np.arange(12)
    moments = [np.sum((-1.0) ** k * h * ((k - 5.5) / 6) ** n) for n in range(6)]
    np.testing.assert_allclose(moments, 0, atol=1e-9)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (7, 5), (-9, 9)])
def test_translation_by_whole_pixels_moves_pixels(dx, dy):
    image = torch.randn(2, 3, 16, 16, generator=seeded(1))
    result = resample(image, torch.eye(2).repeat(2, 1, 1), torch.tensor([[dx, dy]] * 2).float())
    reflected = np.pad(image.numpy(), [(0, 0), (0, 0), (15, 15), (15, 15)], mode="reflect")
    np.testing.assert_allclose(result, reflected[:, :, 15 + dy : 31 + dy, 15 + dx : 31 + dx], atol=5e-5)


def rotation(degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [[cos, -sin], [sin, cos]]


@pytest.mark.parametrize(
    ("linear", "offset"),
    [
        ([[1, 0], [0, 1]], [0.5, 0]),
        ([[1, 0], [0, 1]], [0.25, -0.7]),
        ([[0.5, 0], [0, 0.5]], [0, 0]),
        ([[1.25, 0], [0, 1.25]], [0, 0]),
        ([[1.2, 0], [0, 1 / 1.2]], [0, 0]),
        (rotation(30), [0, 0]),
        ([[0.9, 0.3], [-0.2, 1.1]], [1.3, -0.4]),
    ],
)
def test_affine_map_of_a_wave(linear, offset):
    """A wave far below the highest frequency becomes the same wave at the mapped positions.

    Half a pixel beside its place it would be off by 0.2.
    """
    position = torch.arange(32.0) - 15.5
    y, x = torch.meshgrid(position, position, indexing="ij")

    def wave(x, y):
        return torch.cos(2 * math.pi * (x / 20 + y / 25) + 0.3)

    linear, offset = torch.tensor(linear).float(), torch.tensor(offset).float()
    result = resample(wave(x, y)[None, None], linear[None], offset[None])[0, 0]
    mapped_x, mapped_y = torch.einsum("ij,jhw->ihw", linear, torch.stack([x, y])) + offset[:, None, None]
    inner = slice(10, 22)
    torch.testing.assert_close(result[inner, inner], wave(mapped_x, mapped_y)[inner, inner], atol=0.015, rtol=0)


def test_images_do_not_mix():
    """An image comes out the same alone and beside others, within rounding."""
    images = torch.rand(3, 1, 16, 16, generator=seeded(1))
    linear = torch.tensor([rotation(40), [[1, 0], [0, 1]], [[0.8, 0], [0, 0.9]]]).float()
    offset = torch.tensor([[1.0, 2.0], [0, 0], [0.3, 0.4]])
    together = resample(images, linear, offset)
    assert torch.equal(together[1], images[1])
    for n in (0, 2):
        alone = resample(images[n : n + 1], linear[n : n + 1], offset[n : n + 1])
        torch.testing.assert_close(together[n], alone[0], atol=1e-5, rtol=0)
