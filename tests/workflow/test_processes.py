"""A training job in two processes, as on two GPUs."""

import numpy as np
from adaptive_neon.families.checkpoints import read_checkpoint

from . import runner

TRAINING = {"kimg": 0.4, "micro_batch": 50}


def run(folder, processes, **training):
    folder.mkdir()
    config = {"base": {"training": TRAINING | training}, "run": {"training_processes": processes, "device": "cpu"}}
    config["finetune"] = {"micro_batch": 50}
    return runner.run(folder, config, "--quiet", "all", "--until", "base")


def test_two_processes_make_the_model_of_one(tmp_path):
    models = {}
    for processes in (1, 2):
        process = run(tmp_path / str(processes), processes)
        assert process.returncode == 0, process.stdout
        models[processes] = read_checkpoint(tmp_path / str(processes) / "results/tiny/base/model.safetensors")
    for name, expected in models[1].tensors.items():
        np.testing.assert_allclose(models[2].tensors[name], expected, rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_failure_is_one_line(tmp_path):
    process = run(tmp_path / "run", 2, lr=1.0e30)
    assert process.returncode == 1
    (said,) = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert "training diverged at step 1 (100 images)" in said
    assert "Traceback" not in process.stdout
    assert not (tmp_path / "run/results/tiny/base/model.safetensors").exists()
