"""A study of a text-to-image model, from a folder and a file of prompts to an improved folder."""

import json

import numpy as np
from adaptive_neon.commands.cli import main
from adaptive_neon.data.images import read_images
from adaptive_neon.families.checkpoints import read_checkpoint
from tiny_pipelines import PROMPTS, text_pipeline
from workflow import runner

STUDY = {
    "base": {
        "checkpoint": "A",
        "codec": "A",
        "prompts": "prompts.txt",
        "architecture": {"family": "diffusers"},
        "training": None,
    },
    "blocks": "down-mid-up",
    "grid": {"weights": [0.5], "diagonal": [-1]},
    "sampler": {"steps": 2, "guidance": 3},
    "finetune": {"snapshots_kimg": [1], "label_dropout": 0.2, "lora_rank": 2},
}


def test_prompts_are_the_classes_of_a_study(tmp_path, library, text_library, monkeypatch):
    text_pipeline(library, text_library, tmp_path / "A")
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS))
    process = runner.run(tmp_path, STUDY)
    assert process.returncode == 0, process.stdout
    results = tmp_path / "results/tiny"
    base = read_checkpoint(results / "base/model.safetensors")
    assert base.architecture["prompts"] == PROMPTS
    _, labels = read_images(results / "replica-0/synthetic/images.npz", "images")
    assert np.bincount(labels).tolist() == [25] * 4
    (tuned,) = (read_checkpoint(path) for path in results.glob("replica-0/finetune/*/model.safetensors"))
    moved = {name for name, theta_r in base.tensors.items() if not np.array_equal(theta_r, tuned.tensors[name])}
    assert moved and all(".to_" in name for name in moved)
    summary = json.loads((results / "summary.json").read_text())
    assert summary["base"]["fid"] > 0
    assert runner.planned(tmp_path, STUDY) == set()

    (tmp_path / "prompts.txt").write_text("\n".join([*PROMPTS[:3], "see"]))
    assert runner.planned(tmp_path, STUDY) >= {("import_base",), ("import_codec",), ("synthetic", "0")}
    monkeypatch.chdir(tmp_path)
    main(
        [
            "sample",
            "A",
            "--prompts",
            "prompts.txt",
            "--class",
            "3",
            "--seeds",
            "0-1",
            "--sampler",
            "steps=2",
            "-o",
            "x.npz",
        ]
    )
    assert np.load("x.npz")["labels"].tolist() == [3, 3]
