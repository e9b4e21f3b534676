"""Files of the form of Luma's, made without Luma's code."""

import copy
import pickle

import pytest
import torch
from adaptive_neon.families import loading
from adaptive_neon.families.checkpoints import read_model
from adaptive_neon.families.imm import published
from persistent import module, upstream_modules

DIT = {
    "family": "imm",
    "model_type": "DiT",
    "img_resolution": 8,
    "img_channels": 1,
    "label_dim": 10,
    "patch_size": 2,
    "hidden_size": 16,
    "depth": 3,
    "num_heads": 2,
    "mlp_ratio": 2,
    "codec": None,
}
UNET = {
    "family": "imm",
    "model_type": "SongUNet",
    "img_resolution": 16,
    "img_channels": 3,
    "label_dim": 0,
    "model_channels": 8,
    "channel_mult": [1, 2],
    "channel_mult_emb": 4,
    "channel_mult_noise": 1,
    "num_blocks": 2,
    "attn_resolutions": [8],
    "encoder_type": "standard",
    "resample_filter": [1, 1],
}
ATTRIBUTES = {"sigma_data": 0.5, "T": 0.9, "eps": 0.01, "f_type": "simple_edm", "temb_type": "identity"}


@pytest.fixture(params=[DIT, UNET], ids=["DiT", "U-Net"])
def architecture(request):
    return request.param


@pytest.fixture
def network(architecture):
    torch.manual_seed(0)
    return loading.build(architecture)


def persistent(part, architecture, **state):
    """The layers are torch's own; what is not is of a persistent class."""
    children = {name: child and persistent(child, architecture) for name, child in part._modules.items()}
    if type(part).__module__.startswith("torch."):
        twin = copy.copy(part)
        twin.__dict__ = part.__dict__ | {"_modules": children, "num_heads": architecture.get("num_heads")}
        return twin
    return module(
        type(part).__name__, part._parameters, part._buffers, children, part._non_persistent_buffers_set, **state
    )


def written(path, network, architecture, **attributes):
    with upstream_modules():
        constants = {"noise_schedule": "fm", "time_scale": 1000.0, "mixed_precision": torch.float16}
        ema = persistent(network, architecture, **constants | ATTRIBUTES | attributes)
        path.write_bytes(pickle.dumps({"ema": ema, "augment_pipe": None}))
    return path


@pytest.mark.parametrize("suffix", ["pkl", "pt"])  # Luma's cifar10.pt is a pickle, too
def test_reads_a_snapshot(tmp_path, network, architecture, suffix):
    checkpoint = read_model(written(tmp_path / f"network.{suffix}", network, architecture))
    assert checkpoint.architecture == architecture | ATTRIBUTES
    loaded = loading.load(checkpoint).state_dict()
    assert loaded.keys() == network.state_dict().keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("key", [None, "ema"])
def test_reads_a_state_dict(tmp_path, architecture, key):
    """It says nothing of a DiT's heads, which follow from its width, nor of the jumps, which are Luma's."""
    architecture = architecture | ({"hidden_size": 384, "num_heads": 6} if "depth" in architecture else {})
    state = loading.build(architecture).state_dict()
    torch.save({key: state} if key else state, tmp_path / "network.pt")
    checkpoint = read_model(tmp_path / "network.pt")
    luma = published.CIFAR_10 if architecture["model_type"] == "SongUNet" else published.IMAGENET_256
    assert checkpoint.architecture == luma | architecture
    loading.load(checkpoint)


def test_latents_are_those_of_stable_diffusion(tmp_path):
    """Four channels: the model draws latents of images eight times as large."""
    state = loading.build(DIT | {"img_channels": 4, "hidden_size": 384, "num_heads": 6}).state_dict()
    torch.save(state, tmp_path / "network.pt")
    architecture = read_model(tmp_path / "network.pt").architecture
    assert (architecture["img_resolution"], architecture["img_channels"]) == (64, 3)
    assert architecture["codec"] == published.LUMA_CODEC


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"noise_schedule": "vp_cosine"}, "another noise_schedule than fm"),
        ({"f_type": "identity"}, "architecture.f_type"),
        ({"T": [1.0]}, "architecture.T"),
    ],
)
def test_refuses_other_jumps(tmp_path, refuses, attributes, message):
    path = written(tmp_path / "network.pkl", loading.build(DIT), DIT, **attributes)
    with refuses(f"{path}: ", message):
        read_model(path)


def test_refuses_other_networks(tmp_path, refuses):
    path = tmp_path / "network.pt"
    for content, message in (
        ({"weight": torch.ones(2)}, "neither a DiT nor a DDPM++ with a second embedding of time"),
        ({"ema": 3}, "no state dict"),
        (loading.build(DIT).state_dict(), "a DiT of width 16, whose number of heads no published one tells"),
    ):
        torch.save(content, path)
        with refuses(f"{path}: ", message):
            read_model(path)
