import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from adaptive_neon.data.datasets import read_dataset
from adaptive_neon.errors import InputError
from adaptive_neon.evaluation import inception
from adaptive_neon.evaluation.distances import Moments, frechet_distance_of_features, reference_statistics
from adaptive_neon.evaluation.features import load_differentiable, load_extractor
from adaptive_neon.evaluation.inception import (
    Inception,
    read_convolutions,
    resize,
    weights_file,
    write_convolutions,
)
from torchvision_shim import import_torchvision

import_torchvision()
import torchvision  # noqa: E402
from cleanfid import inception_pytorch  # noqa: E402
from cleanfid.inception_torchscript import InceptionV3W  # noqa: E402
from cleanfid.resize import build_resizer  # noqa: E402

needs_data = pytest.mark.skipif(
    "ADAPTIVE_NEON_TEST_DATA" not in os.environ,
    reason="ADAPTIVE_NEON_TEST_DATA is not set: a folder with default_1.pt and cifar-10-batches-py",
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Resizing


def nvidia_resize(images: torch.Tensor) -> torch.Tensor:
    """As the networks of NVIDIA do it, by sampling at a grid: a pixel's corner, not its centre, stays in place."""
    n, _, height, width = images.shape
    theta = torch.eye(2, 3)
    theta[0, 2] = 1 / width - 1 / 299
    theta[1, 2] = 1 / height - 1 / 299
    grid = F.affine_grid(theta.repeat(n, 1, 1), [n, 3, 299, 299], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


SIZES = [(8, 8), (32, 32), (64, 64), (299, 299), (400, 310)]


@pytest.mark.parametrize("size", SIZES)
def test_tensorflow_resize(rng, size):
    images = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    expected = nvidia_resize(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    resized = resize(images, "inception")
    torch.testing.assert_close(resized, expected, rtol=0, atol=0.02)  # the grid's coordinates are rounded
    assert (resized - expected).abs().mean() < 1e-3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_clean_resize(rng, size, channels):
    images = rng.integers(0, 256, (2, *size, channels), dtype=np.uint8)
    cleanfid_resize = build_resizer("clean")
    expected = np.stack([cleanfid_resize(np.broadcast_to(image, (*size, 3))) for image in images])
    resized = resize(images, "inception-clean").permute(0, 2, 3, 1)
    np.testing.assert_allclose(resized.numpy(), expected, rtol=0, atol=1e-3)


# The network


def convolution_names():
    """In the order of the convolutions in torchvision's network."""
    a = ["conv", "tower.conv", "tower.conv_1", "tower_1.conv", "tower_1.conv_1", "tower_1.conv_2", "tower_2.conv"]
    b = ["conv", "tower.conv", "tower.conv_1", "tower.conv_2"]
    c = ["conv", *b[1:], "tower_1.conv", *(f"tower_1.conv_{i}" for i in range(1, 5)), "tower_2.conv"]
    d = [*b[1:3], "tower_1.conv", *(f"tower_1.conv_{i}" for i in range(1, 4))]
    e = ["conv", "tower_conv", "tower_mixed_conv", "tower_mixed_conv_1"]
    e += ["tower_1_conv", "tower_1_conv_1", "tower_1_mixed_conv", "tower_1_mixed_conv_1", "tower_2_conv"]
    names = ["conv", "conv_1", "conv_2", "conv_3", "conv_4"]
    for i, block in enumerate([a, a, a, b, c, c, c, c, d, e, e]):
        names += [f"mixed_{i}.{name}" if i else f"mixed.{name}" for name in block]
    return names


@pytest.fixture(scope="module")
def fake_weights(tmp_path_factory):
    """Random weights in a file like NVIDIA's, and the same in pytorch-fid's network, which is in clean-fid."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception_pytorch, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(torchvision.models.Inception3, "load_state_dict", lambda *_: None)
        network = inception_pytorch.InceptionV3(resize_input=False).eval()
    holder = torch.nn.Module()
    blocks = (
        module for module in network.modules() if isinstance(module, torchvision.models.inception.BasicConv2d)
    )
    for name, block in zip(convolution_names(), blocks, strict=True):
        block.conv.weight.data *= 2  # or the activations die out
        block.bn.bias.data.normal_(0, 0.1)
        block.bn.running_mean.normal_(0, 0.1)
        block.bn.running_var.uniform_(0.5, 1.5)
        parameters = torch.nn.Module()
        for key, value in (
            ("weight", block.conv.weight),
            ("beta", block.bn.bias),
            ("mean", block.bn.running_mean),
            ("var", block.bn.running_var),
        ):
            parameters.register_parameter(key, torch.nn.Parameter(value.detach().clone()))
        parent = holder
        *path, leaf = f"layers.{name}".split(".")
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, torch.nn.Module())
            parent = getattr(parent, part)
        parent.add_module(leaf, parameters)
    path = tmp_path_factory.mktemp("weights") / "inception.pt"
    torch.jit.script(holder).save(path)
    return path, network


@torch.inference_mode()
def test_layers_are_those_of_pytorch_fid(fake_weights, rng):
    path, network = fake_weights
    x = torch.from_numpy(rng.random((2, 3, 299, 299), dtype=np.float32))
    expected = network(x * 255 / 256)[0].squeeze()  # it maps 0 … 1 to −1 … 1
    features = Inception(path, "inception").layers(x * 255)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_batches_and_types(fake_weights, rng, monkeypatch):
    """Any batch size gives the same; bfloat16 is near; grey is the same as three equal channels."""
    images = rng.integers(0, 256, (2, 32, 32, 1), dtype=np.uint8)
    features = Inception(fake_weights[0], "inception")(images)
    assert features.dtype == np.float32 and features.shape == (2, 2048)
    monkeypatch.setitem(inception.BATCH, "cpu", 1)
    coloured = Inception(fake_weights[0], "inception")(images.repeat(3, axis=3))
    np.testing.assert_allclose(features, coloured, rtol=1e-3, atol=1e-5 * features.max())
    rounded = Inception(fake_weights[0], "inception", dtype=torch.bfloat16)(images)
    assert rounded.dtype == np.float32
    assert 1e-4 < np.linalg.norm(rounded - features) / np.linalg.norm(features) < 0.05


@pytest.mark.parametrize("convention", ["inception", "inception-clean"])
def test_the_imported_extractor_is_the_same(fake_weights, rng, tmp_path, convention):
    images = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    path = tmp_path / "extractor.safetensors"
    write_convolutions(path, read_convolutions(fake_weights[0]), convention)
    expected = Inception(fake_weights[0], convention)(images)
    np.testing.assert_array_equal(load_extractor(path)(images), expected)
    levels = torch.from_numpy(images).float().requires_grad_()
    found = load_differentiable(path)(levels)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-4, atol=1e-5 * expected.max())
    found.sum().backward()
    assert torch.isfinite(levels.grad).all() and levels.grad.any()


def test_wrong_weights(tmp_path):
    path = tmp_path / "inception.pt"
    with pytest.raises(InputError, match=rf"^{path}: no such file"):
        weights_file(path)
    path.write_bytes(b"not these")
    with pytest.raises(InputError, match=rf"^{path}: is neither inception-2015-12-05.pt nor default_1.pt; leave"):
        weights_file(path)
    with pytest.raises(
        InputError, match=rf"^{path}: not the weights of Inception, or a damaged one .*; remove it"
    ):
        Inception(path, "inception")


# Agreement with clean-fid on CIFAR-10


class NvidiaNetwork(torch.nn.Module):
    """What inception-2015-12-05.pt does, around the same layers."""

    def __init__(self, weights: Path):
        super().__init__()
        self.layers = torch.jit.load(weights).net.layers

    def forward(self, x: torch.Tensor, return_features: bool) -> torch.Tensor:
        return self.layers((nvidia_resize(x) - 128) / 128)


def cleanfid_extractor(weights: Path, mode: str) -> Callable[[np.ndarray], np.ndarray]:
    """clean-fid's resizer and network in the mode `legacy_tensorflow` or `clean`, in batches of 32."""
    network = NvidiaNetwork(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.jit, "load", lambda _: network)
        network = InceptionV3W("", download=False, resize_inside=mode == "legacy_tensorflow")
    cleanfid_resize = build_resizer(mode)

    @torch.inference_mode()
    def extract(images: np.ndarray) -> np.ndarray:
        features = []
        for start in range(0, len(images), 32):
            resized = np.stack([cleanfid_resize(image) for image in images[start : start + 32]]).astype(np.float32)
            features.append(network(torch.from_numpy(resized).permute(0, 3, 1, 2)).numpy())
        return np.concatenate(features)

    return extract


def fid(real: np.ndarray, generated: np.ndarray) -> float:
    """Our Fréchet distance of two sets of features."""
    moments = Moments(real)
    return frechet_distance_of_features(reference_statistics(moments.mean, moments.covariance), generated)


@needs_data
@pytest.mark.parametrize("convention, mode", [("inception", "legacy_tensorflow"), ("inception-clean", "clean")])
def test_agrees_with_cleanfid(convention, mode):
    """On 32 images of each split; benchmarks/features.py does it on more, with clean-fid's own FID."""
    folder = Path(os.environ["ADAPTIVE_NEON_TEST_DATA"])
    weights = weights_file(folder / "default_1.pt")
    images = [read_dataset(folder, split)[0][:32] for split in ("train", "test")]
    features = [Inception(weights, convention)(part) for part in images]
    expected = [cleanfid_extractor(weights, mode)(part) for part in images]
    for ours, theirs in zip(features, expected, strict=True):
        assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(theirs)
    assert fid(*features) == pytest.approx(fid(*expected), rel=1e-3)
