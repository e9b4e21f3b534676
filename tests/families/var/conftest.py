"""Tiny models, and upstream's code."""

import importlib
import os
import sys
import types

import pytest
import torch
from adaptive_neon.families.var import family

DIGITS = {
    "img_resolution": 8,
    "img_channels": 1,
    "label_dim": 10,
    "codec": {"model_type": "patches", "vocab_size": 12, "patch_size": 2},
    "patch_nums": [1, 2, 4],
    "depth": 3,
    "embed_dim": 16,
    "num_heads": 2,
}
CONVOLUTIONAL = {
    "img_resolution": 64,
    "img_channels": 3,
    "label_dim": 5,
    "codec": {"model_type": "VQVAE", "vocab_size": 40, "z_channels": 8, "ch": 32},
    "patch_nums": [1, 2, 3, 4],
    "depth": 3,
    "embed_dim": 24,
    "num_heads": 2,
    "mlp_ratio": 3,
}


def randomise(module, scale=0.3, seed=0):
    """Every parameter is random, since those that start at zero would hide mistakes."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return module.eval()


@pytest.fixture
def digits():
    """An architecture, and its transformer and tokenizer with random weights."""
    return DIGITS, randomise(family.build(DIGITS)), randomise(family.build_codec(DIGITS))


@pytest.fixture(params=[False, True], ids=["own-adaLN", "shared-adaLN"])
def architecture(request):
    """Of a tiny convolutional tokenizer and a transformer for it."""
    return CONVOLUTIONAL | {"shared_aln": request.param}


@pytest.fixture
def upstream(monkeypatch, architecture):
    """Tiny models of FoundationVision/VAR with random weights: (tokenizer, transformer), nothing dropped.

    Its `build_vae_var` is not called: it switches off the initialisation of torch's layers for the whole process.
    """
    if "VAR_REPO" not in os.environ:
        pytest.skip("VAR_REPO is not set to a checkout of FoundationVision/VAR")
    hub = types.ModuleType("huggingface_hub")  # its models can be downloaded by name, which nothing here does
    hub.PyTorchModelHubMixin = type("PyTorchModelHubMixin", (), {})
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.syspath_prepend(os.environ["VAR_REPO"])
    before = set(sys.modules)
    models = importlib.import_module("models")

    def make(**changes):
        codec = architecture["codec"]
        torch.manual_seed(0)
        tokenizer = models.VQVAE(
            vocab_size=codec["vocab_size"],
            z_channels=codec["z_channels"],
            ch=codec["ch"],
            v_patch_nums=tuple(architecture["patch_nums"]),
        )
        transformer = models.VAR(
            tokenizer,
            num_classes=architecture["label_dim"],
            depth=architecture["depth"],
            embed_dim=architecture["embed_dim"],
            num_heads=architecture["num_heads"],
            mlp_ratio=architecture["mlp_ratio"],
            shared_aln=architecture["shared_aln"],
            attn_l2_norm=True,
            patch_nums=tuple(architecture["patch_nums"]),
            **{"cond_drop_rate": 0, "drop_path_rate": 0} | changes,
        )
        return randomise(tokenizer, 0.02), randomise(transformer)

    yield make
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("models", "dist"):
            del sys.modules[name]
