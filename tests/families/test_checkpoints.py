import os
from hashlib import sha256

import numpy as np
import pytest
import torch
from adaptive_neon.families.checkpoints import read_checkpoint, read_model, write_checkpoint
from adaptive_neon.families.loading import arrays, load
from persistent import write_network_pickle
from safetensors.numpy import save_file

TENSORS = {
    "enc.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
    "enc.bias": np.array([np.pi, -0.0, 1e-40], np.float32),
    "half": np.array([0.1], np.float16),
    "scale": np.array(2.5, np.float32),
    "none": np.empty((0, 3), np.float32),
}
ARCHITECTURE = {
    "model_type": "SongUNet",
    "img_resolution": 8,
    "img_channels": 3,
    "channel_mult": [1, 2],
    "dropout": 0.13,
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "base" / "model.safetensors"
    write_checkpoint(path, TENSORS, ARCHITECTURE, weights="all~1.0", source="a test, “quoted”")
    return path


def test_a_model_comes_back(path):
    checkpoint = read_checkpoint(path)
    assert checkpoint.architecture == ARCHITECTURE
    assert checkpoint.metadata == {"weights": "all~1.0", "source": "a test, “quoted”"}
    assert checkpoint.tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        found = checkpoint.tensors[name]
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name
        np.testing.assert_array_equal(found, expected)
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_the_same_model_gives_the_same_bytes(tmp_path):
    origin = {"source": "“A”.pkl", "sha256": "0" * 64, "weights": "a\tb", "base": "", "tuned": "B"}
    write_checkpoint(tmp_path / "one.safetensors", TENSORS, ARCHITECTURE, **origin)
    tensors, architecture, origin = (dict(reversed(part.items())) for part in (TENSORS, ARCHITECTURE, origin))
    for _ in range(5):  # the library's order of metadata is random
        write_checkpoint(tmp_path / "other.safetensors", tensors, architecture, **origin)
        assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "other.safetensors").read_bytes()
    assert read_checkpoint(tmp_path / "one.safetensors").metadata == origin


def test_a_network_comes_back(make_network, tiny, tmp_path):
    network = make_network().eval()
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, arrays(network), tiny)
    checkpoint = read_checkpoint(path)
    again = load(checkpoint)
    x = torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(again(x, 0.7), network(x, 0.7))


def test_a_model_from_elsewhere(make_network, tiny, tmp_path, path):
    network = make_network()
    pickled = tmp_path / "network.pkl"
    write_network_pickle(pickled, network, tiny)
    model = read_model(pickled)
    assert model.architecture == {"family": "edm"} | tiny
    assert model.metadata == {"source": "network.pkl", "sha256": sha256(pickled.read_bytes()).hexdigest()}
    for name, expected in arrays(network).items():
        np.testing.assert_array_equal(model.tensors[name], expected)

    ours = read_model(path)
    assert ours.architecture == ARCHITECTURE
    assert ours.metadata["weights"] == "all~1.0"
    assert ours.metadata["sha256"] == sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(lambda good: None, "no such file", id="missing"),
        pytest.param(lambda good: b"", "not a model in safetensors", id="empty"),
        pytest.param(lambda good: b"\x80\x02}q\x00." * 99, "not a model in safetensors", id="pickle"),
        pytest.param(
            lambda good: b"<!DOCTYPE html>\n<title>404</title>\n", "not a model in safetensors", id="page"
        ),
        pytest.param(lambda good: good[:-1], "not a model in safetensors", id="truncated"),
        pytest.param(lambda good: good[:100], "not a model in safetensors", id="begun"),
    ],
)
def test_files_that_hold_no_model(path, refuses, content, words):
    broken = content(path.read_bytes())
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    with refuses(path, words):
        read_checkpoint(path)


def test_a_folder_is_no_model(tmp_path, refuses):
    with refuses(tmp_path, "Is a directory"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"architecture": "resnet50"}])
def test_a_model_of_other_programs_lacks_its_architecture(tmp_path, refuses, metadata):
    path = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path, metadata)
    with refuses(path, "architecture"):
        read_checkpoint(path)


def test_a_failing_write_keeps_the_old_model(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_checkpoint(path, TENSORS, ARCHITECTURE | {"filter": np.ones(3)})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_altered_weights_are_noticed(path, refuses):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with refuses(path, "not those that were written"):
        read_checkpoint(path)
