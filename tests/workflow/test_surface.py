"""A search by a surface, in two rounds, to its end."""

import json

import numpy as np
import pytest
from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.control import controlled_fids_of_features
from adaptive_neon.evaluation.features import load_extractor
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.families.checkpoints import Checkpoint, read_checkpoint
from adaptive_neon.families.edm.family import draw
from adaptive_neon.families.loading import load
from adaptive_neon.families.sampling import antithetic
from adaptive_neon.merging.extrapolation import Merged
from adaptive_neon.studies.plan import POOL

from . import runner

SEARCH = {
    "blocks": [{"name": "all", "pattern": "."}],
    "finetune": {"snapshots_kimg": [1]},
    "grid": {"weights": [0.5, 1.0], "diagonal": []},
    "search": {"method": "surface", "images": 80, "rounds": 1, "noise": "antithetic", "control": 2},
}
TWO_ROUNDS = SEARCH | {"search": SEARCH["search"] | {"rounds": 2}}
RESULTS = "results/tiny"


def drawn(output):
    return {job[2:] for job in runner.jobs(output) if job[0] == "generate"}


def assert_drawn(replica, stage, w, seeds):
    """The images of a cell of the tiny study are those of the merged model from these seeds."""
    base, tuned = (
        read_checkpoint(replica / name) for name in ("../base/model.safetensors", "finetune/1/model.safetensors")
    )
    merged = Merged(base.tensors, tuned.tensors, {"all": w}, dict.fromkeys(base.weights, "all"))
    network = load(Checkpoint(merged, base.architecture)).eval()
    sampler = {"steps": 3, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}
    expected, _ = draw(network, seeds, sampler, classes=[seed % 10 for seed in seeds])
    cell = (POOL if w else "0.0") if stage == "grid" else f"all~{w}"
    images, _ = read_images(replica / stage / ("1" if w else "0") / cell / "images.npz", f"all~{w}")
    assert np.abs(images.astype(int) - expected.numpy()).max() <= 1  # the batch is another
    assert len(images) == len(seeds)


def assert_controlled(folder, replica, stage, cell, name):
    """The metrics of a point of the tiny study have the FID with the base model's images as control variate."""
    real = read_reference(folder / RESULTS / "reference/digits.npz")
    extract = load_extractor(folder / RESULTS / "reference/digits.safetensors", "cpu")
    base = "0.0" if stage == "grid" else "all~0.0"
    images, _ = read_images(replica / stage / "1" / cell / "images.npz", name)
    further, _ = read_images(replica / stage / "0" / base / "images.npz", "all~0.0")
    metrics = json.loads((replica / stage / "1" / cell / "metrics.json").read_text())[name]
    assert metrics["images"] == 80
    expected = controlled_fids_of_features(real.statistics, extract(images), extract(further), 4)
    assert metrics["controlled"]["fid"] == pytest.approx(expected.full, rel=1e-4)


def test_a_further_round_draws_its_own_points_alone(copy_of_finished):
    folder = copy_of_finished
    process = runner.run(folder, SEARCH, target=f"{RESULTS}/replica-0/selection/1.json")
    assert process.returncode == 0, process.stdout
    assert drawn(process.stdout) == {("grid", "0", "0.0"), ("grid", "1", POOL)}

    process = runner.run(folder, TWO_ROUNDS)
    assert process.returncode == 0, process.stdout
    assert runner.planned(folder, TWO_ROUNDS) == set()
    replica = folder / RESULTS / "replica-0"
    points = json.loads((replica / "rounds/1/2.json").read_text())["points"]
    weights = sorted(float(point.removeprefix("all~")) for point in points)
    assert len(weights) == 3
    assert 0.5 <= weights[0] < weights[-1] <= 1.0
    assert weights[-1] - weights[0] == pytest.approx(0.25, abs=0.01)  # half as wide as the first round
    found = json.loads((replica / "selection/1.json").read_text())
    winners = {("heldout", "1", found["roles"][role]) for role in ("global", "blockwise")}
    assert drawn(process.stdout) - {("heldout", "0", "all~0.0"), ("heldout", "1", "all~-1.0")} - winners == {
        *(("round-2", "1", point) for point in points),
        ("round-2", "0", "all~0.0"),
    }

    # All images of the search start in pairs; the base model draws twice as many more, as a control variate. Those
    # held out are too few for pairs.
    assert_drawn(replica, "grid", 0.0, antithetic(range(240), 10))
    assert_drawn(replica, "grid", 0.75, antithetic(range(80), 10))
    assert_drawn(replica, "round-2", 0.0, antithetic(range(240, 480), 10))
    assert_drawn(replica, "round-2", weights[0], antithetic(range(240, 320), 10))
    assert_drawn(replica, "heldout", 0.0, range(50_000, 50_040))
    assert_controlled(folder, replica, "grid", POOL, "all~0.75")
    assert_controlled(folder, replica, "round-2", points[0], points[0])

    # One block: the surface is a line, and both winners are its minimum, or the point drawn there.
    assert found["roles"]["global"] == found["roles"]["blockwise"]
    summary = json.loads((folder / RESULTS / "summary.json").read_text())
    chosen = summary["snapshots"][0]["blockwise"]
    w = chosen["w"]["all"]
    assert w == round(w, 2)
    surface = found["surface"]
    constant, (slope,), ((curvature,),) = (surface[key] for key in ("constant", "gradient", "curvature"))
    fitted = constant + slope * w + curvature * w**2 / 2
    assert chosen["search_fid"] == pytest.approx(fitted, abs=3 * surface["misfit"])
    inside = -slope / curvature if curvature > 0 else None
    assert w == pytest.approx(
        inside if inside and 0.5 <= inside <= 1 else min((0.5, 1.0), key=lambda e: abs(e - w)), abs=0.005
    )
    assert (folder / RESULTS / "figures/replica-0/surface-1.svg").exists()
    page = (folder / RESULTS / "report.html").read_text()
    assert "fitted to the points" in page
    assert "base model in the search" in page and "(0, 240)" in page
