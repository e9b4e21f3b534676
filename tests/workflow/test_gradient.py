"""A search by gradients, with a weight for every layer, to its end."""

import json

import pytest
from adaptive_neon.families.checkpoints import read_checkpoint
from adaptive_neon.merging.blocks import assign_layers
from adaptive_neon.merging.grid import path_name

from . import runner

SEARCH = {
    "blocks": "layers",
    "finetune": {"snapshots_kimg": [1]},
    "grid": {"weights": [0.5, 1.0], "diagonal": []},
    "search": {"method": "gradient", "gradient": {"steps": 3, "images": 20, "lr": 0.5}},
    "run": {"checkpoint_minutes": 0},
}
RESULTS = "results/tiny"


def test_a_weight_for_every_layer(copy_of_finished):
    folder = copy_of_finished
    process = runner.run(folder, SEARCH)
    assert process.returncode == 0, process.stdout
    assert runner.planned(folder, SEARCH) == set()
    results = folder / RESULTS
    base = read_checkpoint(results / "base/model.safetensors")
    layers = list(dict.fromkeys(assign_layers(base.weights).values()))  # in another order than in the network

    descent = json.loads((results / "replica-0/gradient/1.json").read_text())
    assert [check["step"] for check in descent["checks"]] == [0, 1, 2, 3]
    assert all(sorted(check["w"]) == sorted(layers) for check in descent["checks"])
    start = set(descent["checks"][0]["w"].values())
    assert len(start) == 1 and 0.5 <= min(start) <= 1
    assert len(set(descent["checks"][-1]["w"].values())) > len(layers) / 2
    assert (descent["checked"], descent["differentiated"]) == (4 * 40, 3 * 20)

    found = json.loads((results / "replica-0/selection/1.json").read_text())
    best = next(check for check in descent["checks"] if check["step"] == found["descent"]["chosen"])
    summary = json.loads((results / "summary.json").read_text())
    entry = summary["snapshots"][0]
    assert entry["global"]["w"] == {"all": min(start)}
    assert entry["blockwise"]["search_fid"] == best["fid"]
    if best["step"]:
        assert entry["blockwise"]["w"] == best["w"]
    else:
        assert entry["blockwise"]["w"] == entry["global"]["w"]
    for name in found["roles"].values():
        kimg = 0 if name == "all~0.0" else 1
        assert (results / f"replica-0/heldout/{kimg}" / path_name(name) / "metrics.json").exists()
    # Three single weights, the base model, four checks, and what went backward.
    assert summary["price"]["images"] == (4 + 4) * 40 + 60
    assert summary["price"]["evaluations"] == pytest.approx(5 * ((4 + 4) * 40 + 4 * 60), rel=0.01)
    assert (results / "figures/replica-0/gradient-1.svg").exists()
    assert "search by gradients" in (results / "report.html").read_text()
    if best["step"]:  # a cluster asks for one job alone
        cell = f"{RESULTS}/replica-0/heldout/1/{path_name(found['roles']['blockwise'])}"
        (folder / cell / "metrics.json").unlink()
        assert runner.planned(folder, SEARCH, f"{cell}/metrics.json") == {
            ("measure", "0", "heldout", "1", cell[-24:])
        }
