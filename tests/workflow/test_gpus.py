"""Jobs that use a GPU ask for one where the machine has some, and for none elsewhere."""

import os
import re

import pytest

from . import runner

STAGES = {"base", "synthetic", "finetune", "generate"}


@pytest.mark.parametrize(
    ("gpus", "config", "asking"),
    [(2, {}, STAGES), (0, {}, set()), (2, {"run": {"device": "cpu"}}, set())],
)
def test_who_asks_for_a_gpu(tmp_path, monkeypatch, gpus, config, asking):
    lines = "".join(f"GPU {i}: NVIDIA H200 (UUID: GPU-{i})\n" for i in range(gpus))
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    process = runner.run(tmp_path, config, "--dry-run")
    assert process.returncode == 0, process.stdout
    asked = {
        match["rule"] for match in runner.JOB.finditer(process.stdout) if re.search(r"\bgpu=1\b", match["body"])
    }
    assert asked == asking
