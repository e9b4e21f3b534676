"""A base model from elsewhere takes the place of training one."""

import numpy as np
import pytest
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.loading import arrays
from persistent import write_network_pickle

from . import runner

IMPORTED = {"checkpoint": "A.pkl", "training": None, "architecture": None}
BASE = "results/tiny/base/model.safetensors"


@pytest.fixture
def network(make_network, tiny, tmp_path):
    network = make_network(dropout=0.3)
    write_network_pickle(tmp_path / "A.pkl", network, tiny | {"dropout": 0.3})
    return network


def test_a_pickle_is_imported_once_and_fine_tuned(tmp_path, network, make_network, tiny):
    config = {"base": IMPORTED, "finetune": {"snapshots_kimg": [1]}, "grid": {"weights": [1.0], "diagonal": []}}
    process = runner.run(tmp_path, config, "--until", "finetune")
    assert process.returncode == 0, process.stdout
    base = read_checkpoint(tmp_path / BASE)
    assert base.architecture == {"family": "edm"} | tiny | {"dropout": 0.3}
    assert base.metadata["source"] == "A.pkl"
    for name, array in arrays(network).items():
        np.testing.assert_array_equal(base.tensors[name], array)
    assert (tmp_path / "results/tiny/replica-0/finetune/1/model.safetensors").exists()
    assert ("generate", "0", "grid", "1", "points") in runner.planned(tmp_path, config)

    write_network_pickle(tmp_path / "A.pkl", make_network(1), tiny)
    assert ("import_base",) in runner.planned(tmp_path, config)


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ({"checkpoint": "B.pkl"}, "B.pkl: no such file; give the path of the file"),
        (
            {"checkpoint": "nan.safetensors"},
            "nan.safetensors: model.map_layer0.bias is not finite; the training that made it diverged, "
            "or the merge was too far",
        ),
        ({"sha256": "f" * 64}, f"A.pkl: sha256 is not {'f' * 64}; give the path of the file"),
        (
            {"architecture": {"num_blocks": 3}},
            "base.architecture.num_blocks: 3, but the checkpoint's is 1; correct it, or drop it",
        ),
    ],
)
def test_a_wrong_checkpoint_is_one_line(tmp_path, network, tiny, base, line):
    tensors = arrays(network)
    tensors["model.map_layer0.bias"] = tensors["model.map_layer0.bias"] * np.nan
    write_checkpoint(tmp_path / "nan.safetensors", tensors, tiny)
    process = runner.run(tmp_path, {"base": IMPORTED | base}, "--quiet", "all")
    assert process.returncode == 1
    assert [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")] == [
        f"adaptive-neon: {line}"
    ]
    assert not (tmp_path / BASE).exists()
