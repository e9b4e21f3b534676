"""What several test modules share."""

import importlib
import os
import sys
from contextlib import contextmanager
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import yaml
from adaptive_neon.errors import InputError
from adaptive_neon.studies.layers import FAST

ROOT = Path(__file__).parent.parent


def pytest_xdist_auto_num_workers(config):
    """Half as many again as there are cores: tests of the workflow wait for processes as often as they compute."""
    return os.cpu_count() * 3 // 2


@pytest.fixture
def refuses():
    """`with refuses(*words):` the block raises an InputError whose message is one line with these words in it."""

    @contextmanager
    def block(*words):
        with pytest.raises(InputError) as caught:
            yield
        message = str(caught.value)
        assert len(message.splitlines()) == 1, message
        assert not [word for word in words if str(word) not in message], message

    return block


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """`machine(count)` makes a command `nvidia-smi` list so many GPUs, up to three."""

    def with_gpus(count):
        command = tmp_path / "nvidia-smi"
        uuids = ("GPU-0a", "GPU-1b", "GPU-2c")[:count]
        lines = [f"GPU {i}: NVIDIA H200 (UUID: {uuid})" for i, uuid in enumerate(uuids)]
        command.write_text("\n".join(["#!/bin/sh", "cat <<END", *lines, "END"]))
        command.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return with_gpus


@pytest.fixture
def root():
    """The folder of the project."""
    return ROOT


@pytest.fixture
def config():
    """The default configuration, to be changed at will."""
    return yaml.load((ROOT / "config.yaml").read_text(), FAST)


@pytest.fixture
def tiny():
    """The architecture of a network that computes in no time."""
    return {
        "model_type": "SongUNet",
        "img_resolution": 8,
        "img_channels": 1,
        "label_dim": 10,
        "model_channels": 8,
        "channel_mult": [1, 1],
        "num_blocks": 1,
        "attn_resolutions": [],
    }


@pytest.fixture
def make_network(tiny):
    """Builds a tiny network; every parameter is random, since those that start at zero would hide mistakes."""
    import torch
    from adaptive_neon.families.edm.family import build

    def make(seed=0, **changes):
        torch.manual_seed(seed)
        network = build(tiny | changes)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        return network

    return make


@pytest.fixture
def edm(monkeypatch):
    """Imports a module of NVlabs/edm by name, such as `training.loss`."""
    if "EDM_REPO" not in os.environ:
        pytest.skip("EDM_REPO is not set to a checkout of NVlabs/edm")
    monkeypatch.syspath_prepend(os.environ["EDM_REPO"])
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("generate", "training", "torch_utils", "dnnlib"):
            del sys.modules[name]
