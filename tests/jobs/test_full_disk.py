"""On a full disk every writer says so in one line and leaves nothing half written."""

import json
import os
import subprocess

import numpy as np
import pytest
import torch
from adaptive_neon.data.images import write_images
from adaptive_neon.evaluation.measurement import reference_images, write_reference
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.edm.family import loss
from adaptive_neon.jobs.files import replacing
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.studies.figures import save_figure
from adaptive_neon.training.loop import Training, TrainingSettings, write_losses, write_state
from matplotlib.figure import Figure

SIZE = 4 * 2**20  # bytes of the disk


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
    if (mounted := subprocess.run(mount, capture_output=True, text=True)).returncode:
        pytest.skip(f"no small disk to fill: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def state(path, make_network):
    settings = TrainingSettings(batch=10, lr=1e-3, ema_halflife_kimg=1, seed=0)
    write_state(path, Training(make_network(model_channels=64), settings, loss))


def reference(path):
    features = np.random.default_rng(0).normal(size=(50, 2))
    write_reference(path, reference_images(features, np.zeros(2 * SIZE, np.uint8), neighbours=1))


def text(path):
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"fid": [0.123456789] * SIZE}))


def figure(path):
    drawn = Figure(figsize=(14, 14))
    drawn.figimage(np.random.default_rng(0).random((2100, 2100)))
    save_figure(drawn, path)


WRITERS = {
    "images.npz": lambda path, _: write_images(path, {"a": np.zeros(2 * SIZE, np.uint8)}, np.zeros(1)),
    "model.safetensors": lambda path, _: write_checkpoint(path, {"w": np.zeros(2 * SIZE, np.uint8)}, {}),
    "reference.npz": lambda path, _: reference(path),
    "losses.csv": lambda path, _: write_losses(path, [(step, 0.5) for step in range(SIZE // 8)]),
    "state.pt": state,
    "partial.pt": lambda path, _: RollingCheckpoint(path, "fits", 0).save_if_due(lambda: torch.zeros(2 * SIZE)),
    "metrics.json": lambda path, _: text(path),
    "sheet.png": lambda path, _: figure(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk(disk, make_network, refuses, name):
    (disk / "other").write_bytes(bytes(SIZE // 2))
    with refuses(name.partition(".")[0], "no space left on the disk"):
        WRITERS[name](disk / name, make_network)
    assert os.listdir(disk) == ["other"]
