"""Against lumalabs/imm and the training code that Neon added to it, with the same weights and random numbers.

IMM_REPO names a checkout of lumalabs/imm, or the folder `imm` in one of SinaAlemohammad/Neon, which alone holds
the loss. It needs timm and einops. All is computed on a CPU; states and losses are float64, networks float32.
"""

import importlib
import os
import pickle
import sys
import types
from pathlib import Path

import pytest
import torch
from adaptive_neon.families import loading
from adaptive_neon.families.checkpoints import read_model
from adaptive_neon.families.imm import family, settings
from adaptive_neon.families.imm.matching import pushforward
from adaptive_neon.families.sampling import seeded_noise
from torchvision_shim import import_torchvision

PACKAGES = ("training", "torch_utils", "dnnlib", "generate_images")
DIT = {"model_type": "DiT", "patch_size": 2, "hidden_size": 32, "depth": 2, "num_heads": 2}
UNET = {
    "model_type": "SongUNet",
    "model_channels": 8,
    "channel_mult": [1, 2],
    "num_blocks": 1,
    "attn_resolutions": [4],
    "f_type": "simple_edm",
    "temb_type": "identity",
    "eps": 0.006,
}
ARGUMENTS = {"img_resolution": 8, "img_channels": 1, "label_dim": 10}
NETWORKS = {"DiT": DIT, "DiT-identity": DIT | {"temb_type": "identity"}, "U-Net": UNET}


@pytest.fixture
def upstream(monkeypatch):
    """Imports one of upstream's modules by name."""
    if "IMM_REPO" not in os.environ:
        pytest.skip("IMM_REPO is not set to a checkout of lumalabs/imm")
    import_torchvision()
    pytest.importorskip("timm")
    pytest.importorskip("einops")
    monkeypatch.syspath_prepend(os.environ["IMM_REPO"])
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in PACKAGES:
            del sys.modules[name]


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def networks(request, upstream):
    """Upstream's network and ours, with the same random weights."""
    torch.manual_seed(0)
    theirs = upstream("training.preconds").IMMPrecond(
        **ARGUMENTS, num_classes=10, dropout=0, **{"f_type": "euler_fm", "temb_type": "stride"} | request.param
    )
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    ours = loading.build({"family": "imm"} | ARGUMENTS | request.param, {"dropout": 0})
    ours.load_state_dict(theirs.state_dict())
    return theirs.eval().requires_grad_(True), ours.eval()


def hot(*classes):
    """One-hot labels; class 10 is none."""
    return torch.eye(11)[list(classes)][:, :10]


def test_jumps_equal_upstream(networks):
    theirs, ours = networks
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    t = torch.tensor([0.994, 0.6, 0.3, 0.01], dtype=torch.float64).reshape(-1, 1, 1, 1)
    s = t * torch.tensor([0.0, 0.9, 0.5, 1.0], dtype=torch.float64).reshape(-1, 1, 1, 1)
    classes = hot(0, 3, 10, 9)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, t, classes, s), theirs(x, t, s, classes), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("ours_sampler", "theirs_sampler"),
    [
        ({"steps": 4}, {"discretization": "uniform", "num_steps": 4}),
        ({"steps": 3, "discretization": "edm"}, {"discretization": "edm", "num_steps": 3}),
        ({"steps": 2, "mid_nt": 1.4}, {"mid_nt": [1.4]}),
        ({"steps": 1}, {"mid_nt": None}),
        ({"steps": 4, "guidance": 1.5}, {"discretization": "uniform", "num_steps": 4, "cfg_scale": 1.5}),
    ],
    ids=["uniform", "edm", "two steps", "one step", "guided"],
)
def test_samples_equal_upstream(networks, monkeypatch, upstream, ours_sampler, theirs_sampler):
    """From the same noise, before the rounding to eight bits; a time may round to another float32 neighbour."""
    for name in ("omegaconf", "hydra"):  # of its script, which are not of its sampler
        module = types.ModuleType(name)
        module.OmegaConf, module.main = None, lambda **_: lambda function: function
        monkeypatch.setitem(sys.modules, name, module)
    theirs, ours = networks
    noise, classes = seeded_noise(range(3), ours.shape, 10, [1, 2, 3])
    expected = upstream("generate_images").pushforward_generator_fn(
        theirs, theirs.sigma_data * noise.double(), torch.eye(10)[classes], **theirs_sampler
    )
    seen = []
    monkeypatch.setattr(family, "pushforward", lambda *args: seen.append(pushforward(*args)) or seen[0])
    family.draw(ours, range(3), ours_sampler, [1, 2, 3])
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changed", [{}, {"a": 1, "b": 4, "k": 15, "min_tr_gap": 0}], ids=["ImageNet", "CIFAR"])
def test_losses_and_gradients_equal_upstream(networks, upstream, monkeypatch, changed):
    """On a batch of six groups of four, a tenth of whose labels are dropped."""
    if not (Path(os.environ["IMM_REPO"]) / "training/loss.py").exists():
        pytest.skip("IMM_REPO has no loss; name the folder imm of a checkout of SinaAlemohammad/Neon")
    monkeypatch.setattr(torch.cuda, "get_rng_state", torch.get_rng_state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", torch.set_rng_state)
    theirs, ours = networks
    wrapped = torch.nn.Module()
    wrapped.module, wrapped.forward = theirs, theirs.forward
    constants = {"a": 2, "b": 4, "k": 12, "min_tr_gap": 1e-4} | changed
    loss = upstream("training.loss").IMMLoss(sample_t_mode="uniform", **constants)
    images = torch.randint(256, (24, 8, 8, 1), dtype=torch.uint8)
    labels = torch.arange(24) % 10

    torch.manual_seed(3)
    expected, _ = loss(wrapped, family.from_uint8(images), torch.eye(10)[labels], device=torch.device("cpu"))
    torch.manual_seed(3)
    found = family.loss(ours.train(), images, labels, {"dropout": 0} | changed, torch.float32)
    torch.testing.assert_close(found[::4], expected, rtol=1e-4, atol=1e-6)
    expected.mean().backward()
    found.mean().backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        scale = gradients[name].abs().max().item()
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-3, atol=1e-4 * scale + 1e-9, msg=name)


def test_the_usage_that_is_told_works(networks, upstream, tmp_path):
    _, ours = networks
    torch.save(ours.state_dict(), tmp_path / "model.pt")
    architecture = {"family": "imm"} | ARGUMENTS | {"codec": None}
    architecture |= UNET if ours.is_unet else DIT | {"temb_type": "stride" if ours.sees_stride else "identity"}
    space = {"training": types.SimpleNamespace(preconds=upstream("training.preconds")), "torch": torch}
    exec(settings.upstream_usage(architecture, str(tmp_path / "model.pt")), space)
    x, t, classes = torch.randn(2, 1, 8, 8), torch.tensor([0.9, 0.2]).double(), hot(1, 10)
    with torch.no_grad():
        found = space["network"].eval()(
            x, t.reshape(-1, 1, 1, 1), torch.zeros(2, 1, 1, 1).double() + ours.eps, classes
        )
        torch.testing.assert_close(found, ours(x, t, classes), rtol=1e-6, atol=1e-6)


def test_reads_upstreams_pickles(networks, tmp_path):
    """What the training code writes; the network that comes back makes the same jumps."""
    theirs, ours = networks
    content = {"ema": theirs.requires_grad_(False), "augment_pipe": None, "dataset_kwargs": {"path": "images.zip"}}
    (tmp_path / "network.pkl").write_bytes(pickle.dumps(content))
    checkpoint = read_model(tmp_path / "network.pkl")
    again = loading.load(checkpoint)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([0.9, 0.2]).reshape(-1, 1, 1, 1)
    with torch.inference_mode():
        assert torch.equal(again(x, t, hot(1, 10)), ours(x, t, hot(1, 10)))
    assert checkpoint.architecture["f_type"] == theirs.f_type
    assert checkpoint.architecture["temb_type"] == theirs.temb_type
