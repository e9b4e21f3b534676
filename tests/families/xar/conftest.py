"""Upstream's modules on a CPU, and tiny networks with the same random weights."""

import importlib
import importlib.machinery
import os
import sys
from types import ModuleType

import pytest
import torch
from adaptive_neon.families.xar.network import XAR
from torchvision_shim import import_torchvision

# Sizes that upstream's code leaves free; its latents are 16 × 16 × 16.
LATENTS = {"img_resolution": 16, "img_channels": 16, "label_dim": 1000, "patch_size": 1}
TINY = LATENTS | {"hidden_size": 16, "encoder_depth": 2, "decoder_depth": 1, "num_heads": 2}


def randomise(network):
    """Every parameter is random: those that start at zero or one would hide mistakes."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture
def xar(monkeypatch):
    """The module `models.xar` of OliverRen/xAR."""
    if "XAR_REPO" not in os.environ:
        pytest.skip("XAR_REPO is not set to a checkout of OliverRensu/xAR")
    import_torchvision()
    for name in ("timm", "einops"):
        pytest.importorskip(name, reason=f"{name}, which upstream imports, is not installed")
    flash = ModuleType("flash_attn")  # imported, never called
    flash.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    flash.flash_attn_func = None
    monkeypatch.setitem(sys.modules, "flash_attn", flash)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self, *args, **kwargs: self)
    monkeypatch.syspath_prepend(os.environ["XAR_REPO"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "models"]:
        monkeypatch.delitem(sys.modules, name)
    yield importlib.import_module("models.xar")
    for name in [name for name in sys.modules if name.partition(".")[0] == "models"]:
        del sys.modules[name]


@pytest.fixture
def pair(xar):
    """Upstream's network and ours with the same weights, in evaluation mode."""
    upstream = xar.xAR(
        encoder_embed_dim=16,
        encoder_depth=2,
        encoder_num_heads=2,
        decoder_embed_dim=16,
        decoder_depth=1,
        decoder_num_heads=2,
        label_drop_prob=0,
    )
    randomise(upstream)
    ours = XAR(**TINY).eval()
    ours.load_state_dict(upstream.state_dict())
    return upstream, ours
