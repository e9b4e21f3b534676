"""Rivals of Neon: what they add to a finished study, and such a study to its end."""

import json

import numpy as np
import pytest
import yaml
from adaptive_neon.data.images import read_images
from adaptive_neon.families.checkpoints import TensorFile, read_checkpoint

from . import runner

RIVALS = [
    {"name": "sims", "kind": "guidance"},
    {"name": "longer", "kind": "training"},
    {"name": "short", "kind": "ema", "length": 0.05},
    {"name": "coarse", "kind": "synthetic", "sampler": {"steps": 2}},
    {"name": "slow", "kind": "sampler", "searched": {"steps": [4]}},
]
ONE = {"finetune": {"snapshots_kimg": [1]}}
HALF, WHOLE = ("_".join(f"{block}~{w}" for block in ("enc", "mid", "dec")) for w in (0.5, 1.0))
REPORT = {("rivals",), ("report",)}


def searched(rival, kimg):
    return {
        (rule, "0", f"rivals/{rival}/search", kimg, w) for rule in ("generate", "measure") for w in (HALF, WHOLE)
    }


def of_snapshots(rule, *before):
    return {(rule, *before, kimg) for kimg in ("1", "2")}


@pytest.mark.parametrize(
    ("rival", "own"),
    [
        ("sims", searched("sims", "1") | searched("sims", "2") | of_snapshots("linearity", "0")),
        ("longer", set()),  # without candidates all of it comes after the checkpoint select_rivals
        (
            "coarse",
            {("rival_synthetic", "0", "coarse")}
            | of_snapshots("rival_finetune", "0", "coarse")
            | searched("coarse", "1")
            | searched("coarse", "2"),
        ),
    ],
)
def test_a_rival_of_a_finished_study_runs_what_is_its_own(finished, rival, own):
    """The model and its card, too, stay as they are."""
    config = {"rivals": [one for one in RIVALS if one["name"] == rival]}
    planned = {job for job in runner.planned(finished, config) if "heldout" not in str(job)}
    assert planned == own | of_snapshots("select_rivals", "0") | REPORT


def test_averaged_directions_wait_for_all_replicas(finished):
    planned = runner.planned(finished, {"replicas": 2, "rivals": [{"name": "mean", "kind": "averaged"}]} | ONE)
    assert {("average", "mean", "1"), ("finetune", "1", "1"), ("select_rivals", "1", "1")} <= planned


def test_rivals_to_their_end(copy_of_finished):
    folder = copy_of_finished
    config = ONE | {"rivals": RIVALS}
    process = runner.run(folder, config)
    assert process.returncode == 0, process.stdout
    assert runner.planned(folder, config) == set()
    ran = runner.jobs(process.stdout)
    assert {job for job in ran if job[0] in ("base", "synthetic", "finetune", "select")} == set()

    results = folder / "results/tiny"
    summary = json.loads((results / "rivals.json").read_text())
    models = summary["snapshots"][0]["models"]
    assert list(models) == ["base", "global", "blockwise", "sims", "longer", "short", "coarse", "slow"]
    assert {name: model["evaluations"] for name, model in models.items()} == dict.fromkeys(models, 5) | {
        "sims": 10,
        "slow": 7,
    }
    own = json.loads((results / "summary.json").read_text())
    assert models["base"]["fid"] == own["base"]["fid"]
    assert models["global"]["fid"] == own["snapshots"][0]["global"]["fid"]
    chosen = json.loads((results / "replica-0/rivals/1.json").read_text())
    for name in ("sims", "coarse"):
        fids = chosen[name]["search"]
        assert chosen[name]["point"] == min(fids, key=fids.get)
    page = (results / "report.html").read_text()
    assert (
        "<h2>Rivals</h2>" in page
        and "linearity-1.svg" in page
        and "| slow |" in (results / "tables/rivals.md").read_text()
    )

    # The same seeds; and the guided model is neither the merged nor the base model.
    sims, point = results / "replica-0/rivals/sims/heldout/1", chosen["sims"]["point"]
    guided, _ = read_images(sims / point / "images.npz", point)
    base = "_".join(f"{block}~0.0" for block in ("enc", "mid", "dec"))
    plain, _ = read_images(results / f"replica-0/heldout/0/{base}/images.npz", base)
    assert guided.shape == plain.shape
    assert 0 < np.abs(guided.astype(int) - plain).mean() < 40

    # At the end of the training a kept average of this length needs no others.
    averages = TensorFile(results / "base/averages.safetensors")
    last = max(int(name.split("/")[0]) for name in averages)
    short = read_checkpoint(results / "rivals/short/model.safetensors").tensors
    weights = [name for name in short if f"{last}/0.05/{name}" in averages]
    assert len(weights) > 20
    for name in weights:
        np.testing.assert_allclose(short[name], averages[f"{last}/0.05/{name}"], atol=1e-6)

    # Training on equals training for longer from the start.
    longer = yaml.safe_load((runner.ROOT / "tests/tiny.yaml").read_text())["base"]["training"]["kimg"] + 1
    whole = {"experiment": "longer", "base": {"training": {"kimg": longer}}}
    target = "results/longer/base/model.safetensors"
    process = runner.run(folder, whole, target=target)
    assert process.returncode == 0, process.stdout
    expected = read_checkpoint(folder / target).tensors
    found = read_checkpoint(results / "rivals/longer/training/1/model.safetensors").tensors
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
