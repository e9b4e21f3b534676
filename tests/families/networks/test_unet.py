import math

import numpy as np
import pytest
import torch
from adaptive_neon.errors import InputError
from adaptive_neon.families.checkpoints import Checkpoint
from adaptive_neon.families.edm.family import build
from adaptive_neon.families.edm.network import ARCHITECTURES, EDMPrecond
from adaptive_neon.families.loading import arrays, load, require_architecture
from torch import nn

SMALL = {
    "ddpmpp": {"model_channels": 16, "channel_mult": [1, 2], "num_blocks": 1, "attn_resolutions": [8]},
    "ncsnpp": {
        "model_channels": 16,
        "channel_mult": [1, 2, 2],
        "num_blocks": 2,
        "attn_resolutions": [8],
        "channel_mult_noise": 64,  # 512 random frequencies, enough for statistics
    },
    "adm": {"model_channels": 64, "channel_mult": [1, 2], "num_blocks": 1, "attn_resolutions": [8]},
}
UNCONDITIONAL, CONDITIONAL = {}, {"label_dim": 10, "augment_dim": 9}


def small(name, **more):
    return {"img_resolution": 16, "img_channels": 3, **ARCHITECTURES[name], **SMALL[name], **more}


def randomise(network):
    """Make every parameter random, at a scale at which signals keep their size: zeros would hide mistakes."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            value = noise / math.sqrt(parameter[0].numel())
        else:
            value = 0.2 * noise + ("norm" in name and name.endswith("weight"))
        parameter.data.copy_(value)
    return network.eval().requires_grad_(False)


def random_inputs(network, n=3):
    generator = torch.Generator().manual_seed(2)
    side, channels = network.img_resolution, network.img_channels
    return {
        "x": torch.randn(n, channels, side, side, generator=generator),
        "sigma": torch.tensor([80.0, 0.5, 0.002])[:n],
        "class_labels": torch.eye(10)[:n],
        "augment_labels": torch.randn(n, 9, generator=generator),
    }


def relative_errors(found, expected):
    """‖found − expected‖ / ‖expected‖ for each image."""
    return ((found - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1)).tolist()


# Parity with NVIDIA's implementation


@pytest.fixture
def upstream(edm):
    """The module `training.networks` of NVlabs/edm."""
    return edm("training.networks")


GIVEN = {  # what a call may be given
    "nothing": [],
    "class": ["class_labels"],
    "augmentation": ["augment_labels"],
    "both": ["class_labels", "augment_labels"],
}


@pytest.mark.parametrize(
    ("architecture", "given"),
    [(small(name), "nothing") for name in SMALL]
    + [(small(name, **CONDITIONAL), given) for name in SMALL for given in GIVEN]
    + [({"img_resolution": 32, "img_channels": 3, **ARCHITECTURES["ddpmpp"], **CONDITIONAL}, "both")],
    ids=[f"{name}-unconditional" for name in SMALL]
    + [f"{name}-{given}" for name in SMALL for given in GIVEN]
    + ["cifar10"],
)
def test_equals_upstream(upstream, architecture, given):
    reference = randomise(upstream.EDMPrecond(**architecture))
    network = build(architecture).eval().requires_grad_(False)
    weights = reference.state_dict()
    assert [(k, v.shape) for k, v in network.state_dict().items()] == [(k, v.shape) for k, v in weights.items()]
    network.load_state_dict(weights)
    inputs = random_inputs(network)
    x, sigma = inputs["x"], inputs["sigma"]
    labels = {key: inputs[key] for key in GIVEN[given]}
    found, expected = network(x, sigma, **labels), reference(x, sigma, **labels)
    # Over the noise levels together. At σ = 80 the output is F_θ alone, and rounding puts either float32 result up
    # to 2e-6 from the float64 one.
    assert torch.linalg.norm(found - expected) < 1e-6 * torch.linalg.norm(expected)

    # In float64, where upstream rounds its attention weights to float32 nevertheless. Unlike EDMPrecond, the
    # bare network wants all its labels.
    labels = {"class_labels": torch.zeros(len(x), 10), "augment_labels": torch.zeros(len(x), 9)} | labels
    f = [
        net.double().model(x.double(), sigma.log().double(), **{k: v.double() for k, v in labels.items()})
        for net in (network, reference)
    ]
    assert max(relative_errors(*f)) < 2e-7


@pytest.mark.parametrize("name", SMALL)
def test_is_initialised_like_upstream(upstream, name):
    torch.manual_seed(0)
    expected = upstream.EDMPrecond(**small(name, **CONDITIONAL)).state_dict()
    for key, tensor in build(small(name, **CONDITIONAL)).state_dict().items():
        reference = expected[key]
        if reference.unique().numel() < 10 or "resample_filter" in key:
            assert torch.equal(tensor, reference), key
        elif tensor.numel() >= 500:  # enough for statistics: 500 draws give a deviation within 10 %
            assert tensor.std().item() == pytest.approx(reference.std().item(), rel=0.1), key
            # 1.8 for a uniform distribution, 3 for a normal one
            kurtosis, reference_kurtosis = ((t / t.std()).pow(4).mean().item() for t in (tensor, reference))
            assert kurtosis == pytest.approx(reference_kurtosis, abs=0.9), key


@pytest.mark.parametrize("name", ["ddpmpp", "adm"])
def test_gradients_equal_upstream(upstream, name):
    architecture = small(name, **CONDITIONAL)
    reference = randomise(upstream.EDMPrecond(**architecture)).requires_grad_(True)
    network = build(architecture).eval()
    network.load_state_dict(reference.state_dict())
    inputs = random_inputs(network)
    for model in (reference, network):
        model(**inputs).square().mean().backward()
    for (key, found), (_, expected) in zip(network.named_parameters(), reference.named_parameters(), strict=True):
        assert torch.linalg.norm(found.grad - expected.grad) <= 1e-5 * torch.linalg.norm(expected.grad), key


# Published numbers


@pytest.mark.parametrize(
    ("architecture", "millions"),
    [
        ({"img_resolution": 32, **ARCHITECTURES["ddpmpp"], **CONDITIONAL}, 55.7),  # EDM, CIFAR-10
        ({"img_resolution": 64, **ARCHITECTURES["ddpmpp"], "channel_mult": [1, 2, 2, 2]}, 61.8),  # EDM, FFHQ
        ({"img_resolution": 64, **ARCHITECTURES["adm"], "label_dim": 1000}, 295.9),  # ADM, ImageNet-64
    ],
    ids=["cifar10", "ffhq", "imagenet64"],
)
def test_parameter_count_is_the_published_one(architecture, millions):
    with torch.device("meta"):
        network = build({"img_channels": 3, **architecture})
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 1) == millions


# Preconditioning (EDM, Table 1)


class Constant(nn.Module):
    """F_θ = value; remembers what it was given."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x, noise, class_labels, augment_labels):
        self.x, self.noise = x, noise
        return torch.full_like(x, self.value)


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
@pytest.mark.parametrize("sigma_data", [0.5, 2.0])
def test_preconditioning(sigma, sigma_data):
    network = build(small("ddpmpp", sigma_data=sigma_data))
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    network.model = Constant(0.0)
    # With F = 0 the denoiser is the posterior mean of N(0, σ_data²) data, the best linear one.
    skipped = network(x, sigma)
    torch.testing.assert_close(skipped, x * sigma_data**2 / (sigma**2 + sigma_data**2))
    # Data plus noise has the variance σ² + σ_data², of which the network sees 1.
    torch.testing.assert_close(network.model.x, x / math.hypot(sigma, sigma_data))
    assert network.model.noise.item() == pytest.approx(math.log(sigma) / 4)
    # What is left for F to explain, the posterior's deviation, has unit variance too.
    network.model = Constant(1.0)
    posterior_std = 1 / math.sqrt(1 / sigma**2 + 1 / sigma_data**2)
    torch.testing.assert_close(network(0 * x, sigma), torch.full_like(x, posterior_std))


def test_one_noise_level_serves_all_images():
    network = randomise(build(small("ncsnpp")))
    x = random_inputs(network)["x"]
    torch.testing.assert_close(network(x, 0.7), network(x, torch.full([3], 0.7)))


# Types


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.006)], ids=str)
def test_half_precision_is_close(name, dtype, tolerance):
    """The tolerance is about 13 (bfloat16) and 12 (float16) times the type's relative rounding error."""
    network = randomise(build(small(name, **CONDITIONAL)))
    inputs = random_inputs(network)
    half = network(**inputs, dtype=dtype)
    assert half.dtype == torch.float32
    errors = relative_errors(half, network(**inputs))
    assert 0 < errors[0] < tolerance
    assert max(errors) < tolerance


# Labels


def test_labels_that_are_not_given_are_zeros_and_every_parameter_gets_a_gradient():
    network = build(small("ddpmpp", **CONDITIONAL))
    inputs = random_inputs(network)
    network(inputs["x"], inputs["sigma"]).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_label_dropout_removes_labels_in_training_only(name):
    network = randomise(build(small(name, **CONDITIONAL, label_dropout=1.0, dropout=0)))
    inputs = random_inputs(network)
    labelled = network(**inputs)
    unlabelled = network(**inputs | {"class_labels": None})
    assert min(relative_errors(labelled, unlabelled)[:2]) > 1e-3
    torch.testing.assert_close(network.train()(**inputs), unlabelled)


# Input errors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_typ": "SongUNet"}, "model_typ"),
        ({"model_type": "EDM2UNet"}, "EDM2UNet.*SongUNet or DhariwalUNet"),
        ({"model_kwargs": {}}, "model_kwargs"),
        ({"embedding_type": "learned"}, "learned.*positional or fourier"),
        ({"encoder_type": "skip"}, "skip.*standard or residual"),
        ({"decoder_type": "skip"}, "skip.*standard"),
        ({"img_resolution": 17}, "17 cannot be halved"),
        ({"model_channels": 2}, "model_channels"),
        ({"model_channels": 130}, "model_channels"),
        ({"model_type": "DhariwalUNet"}, "embedding_type.*DhariwalUNet"),
        ({"resample_filter": [1, 2, 1]}, "resample_filter: 3 taps; give an even number"),
        ({"resample_filter": [1] * 10**4}, "resample_filter: 10000 taps"),
        # What a stranger's checkpoint may say
        ({"num_blocks": 10**9}, "num_blocks: 1000000000 on each of 2 levels"),
        ({"channel_mult": []}, "on each of 0 levels"),
        ({"channel_mult": "wide"}, "architecture"),
        ({"model_channels": "64"}, "architecture"),
        ({"model_channels": 10**30}, "architecture"),
        ({"model_type": ["SongUNet"]}, "model_type"),
        ({"dropout": {}, "img_resolution": None}, "architecture"),
    ],
)
def test_unsupported_architecture(change, words):
    with pytest.raises(InputError, match=words) as caught:
        build({**small("ddpmpp"), **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (lambda tensors: {}, "differ, first model.map_noise.freqs: missing, expected \\(512,\\)"),
        (
            lambda tensors: tensors | {"model.extra": np.zeros(3)},
            "1 differ, first model.extra: \\(3,\\), expected none",
        ),
        (
            lambda tensors: tensors | {"model.map_noise.freqs": np.zeros(4)},
            "1 differ, first model.map_noise.freqs",
        ),
    ],
    ids=["none", "more", "another shape"],
)
def test_weights_of_another_network(tensors, words):
    found = tensors(arrays(build(small("ncsnpp"))))
    with pytest.raises(InputError, match=words):
        load(Checkpoint(found, small("ncsnpp")))


def test_a_claimed_size_allocates_nothing():
    """36 TB, were the network built before it is compared with its tensors."""
    with pytest.raises(InputError, match="differ, first"):
        load(Checkpoint({"model.weight": np.zeros(3)}, small("ddpmpp", model_channels=10**6 - 10**6 % 32)))


def test_weights_come_back_as_float32():
    network = build(small("ncsnpp"))
    tensors = {name: array.astype(np.float16) for name, array in arrays(network).items()}
    loaded = load(Checkpoint(tensors, small("ncsnpp")))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == torch.float32
        np.testing.assert_array_equal(tensor, tensors[name].astype(np.float32))
        assert not np.shares_memory(tensor.numpy(), tensors[name])


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({}, None),
        ({"num_blocks": 2, "embedding_type": "fourier", "sigma_data": 0.5, "channel_mult": [1, 2, 2]}, None),
        ({"channel_mult_emb": 4}, None),
        ({"num_blocks": 4}, "architecture.num_blocks: 4, but the checkpoint's is 2"),
        ({"label_dim": 10}, "architecture.label_dim: 10, but the checkpoint's is 0"),
    ],
)
def test_the_architecture_that_is_expected(expected, words, refuses):
    if words is None:
        require_architecture(expected, small("ncsnpp"))
    else:
        with refuses(words):
            require_architecture(expected, small("ncsnpp"))


def test_missing_argument():
    with pytest.raises(InputError, match="img_resolution"):
        build({"img_channels": 3, **ARCHITECTURES["adm"]})


def test_presets_are_upstream_defaults_where_they_are_silent():
    """EDM's default model is ADM; checkpoints that do not name the model rely on it."""
    with torch.device("meta"):
        named = EDMPrecond(32, 3, **ARCHITECTURES["adm"])
        default = EDMPrecond(32, 3)
    assert {k: v.shape for k, v in named.state_dict().items()} == {
        k: v.shape for k, v in default.state_dict().items()
    }
