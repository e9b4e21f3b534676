import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from adaptive_neon.families.networks.dit import DiT, sincos_table, time_features

TINY = {"label_dim": 5, "patch_size": 2, "hidden_size": 24, "depth": 2, "num_heads": 3}


def test_a_new_network_says_zero():
    """adaLN-Zero: the last layer starts at zero."""
    x = DiT(8, 3, **TINY)(torch.randn(2, 3, 8, 8), torch.tensor([3.0]), torch.eye(5)[:2])
    assert x.shape == (2, 3, 8, 8)
    assert not x.any()


def test_patches_keep_their_place():
    """With no blocks and an identity in between, each output pixel sees its own patch alone."""
    torch.manual_seed(0)
    network = DiT(8, 1, **TINY | {"depth": 0})
    torch.nn.init.normal_(network.final_layer.linear.weight)
    x = torch.randn(1, 1, 8, 8)
    moved = x.clone()
    moved[0, 0, 2, 5] += 1
    time, labels = torch.zeros(1), torch.zeros(1, 5)
    changed = (network(moved, time, labels) != network(x, time, labels))[0, 0].nonzero()
    assert {tuple((pixel // 2).tolist()) for pixel in changed} == {(1, 2)}


def test_tables():
    time = time_features(torch.tensor([2.0]))[0]
    assert time[:2].tolist() == pytest.approx([np.cos(2), np.cos(2 * 10000 ** (-1 / 128))])
    assert time[128].item() == pytest.approx(np.sin(2))
    table = sincos_table(8, 3)  # frequencies 1 and 1/100; of patch 5, column 2 and row 1
    column, row = (np.sin([c, c / 100]).tolist() + np.cos([c, c / 100]).tolist() for c in (2, 1))
    assert table[5].tolist() == pytest.approx(column + row, abs=1e-6)


def test_the_network_equals_upstream():
    """facebookresearch/DiT or willisma/SiT, whose models.py has the same parameter names, with random weights."""
    if "DIT_REPO" not in os.environ:
        pytest.skip("DIT_REPO is not set to a checkout of facebookresearch/DiT or willisma/SiT")
    spec = importlib.util.spec_from_file_location("upstream_models", Path(os.environ["DIT_REPO"]) / "models.py")
    models = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    network = getattr(models, "DiT", None) or models.SiT
    upstream = network(
        input_size=8,
        in_channels=3,
        num_classes=5,
        learn_sigma=False,
        patch_size=2,
        hidden_size=24,
        depth=2,
        num_heads=3,
    ).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in upstream.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.3)
    ours = DiT(8, 3, **TINY).eval()
    ours.load_state_dict(upstream.state_dict())
    x, t, y = torch.randn(4, 3, 8, 8), torch.tensor([0.0, 3.5, 200.0, 999.0]), torch.tensor([0, 4, 5, 2])
    hot = torch.eye(6)[y][:, :5]  # class 5 is no class
    with torch.inference_mode():
        torch.testing.assert_close(ours(x, t, hot), upstream(x, t, y), rtol=1e-4, atol=1e-4)
