"""Loops of image models as a user runs them: an experiment whose `loop.generations` is above 0.

In the tiny study the regime `replace` has no Neon; the models of `half-neon`, trained on half real images, are
turned around with a searched w.
"""

import copy
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from adaptive_neon.families.checkpoints import read_checkpoint
from adaptive_neon.loops.summary import terminal_lines

from . import runner
from .conftest import run_once

RESULTS = "results/tiny"
REGIMES = [
    {"name": "replace", "data": "replace"},
    {"name": "half-neon", "data": "fixed", "real": 0.5, "neon": [0.5, 1.0]},
]
LOOP = {"loop": {"generations": 1}}
REPORT = {("summary",), ("figures",), ("report",)}


def jobs(rules, regime, generation):
    return {(f"loop_{rule}", "0", regime, str(generation)) for rule in rules}


UNCORRECTED = ("train", "heldout", "measure")
TURNED_STEP = (*UNCORRECTED, "correct")
SEARCHED = ("search_images", "search", "correct")
TURNED_MODEL = (*UNCORRECTED, "own_images", "self_train", *SEARCHED)


def changed(**section):
    config = copy.deepcopy(LOOP)
    config["loop"] |= section
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished tiny loop. Read only, but for dry runs."""
    return run_once(tmp_path_factory, "loop", config=LOOP)


@pytest.fixture(scope="module")
def summary(finished):
    return json.loads((finished / RESULTS / "summary.json").read_text())


def test_a_finished_loop_has_nothing_to_run(finished):
    assert runner.planned(finished, LOOP) == set()


def test_one_more_generation_trains_one_more_of_each_regime(finished):
    assert runner.planned(finished, changed(generations=2)) == (
        jobs(("images",), "replace", 1)
        | jobs(("images",), "half-neon", 1)
        | jobs(UNCORRECTED, "replace", 2)
        | jobs(TURNED_MODEL, "half-neon", 2)
        | REPORT
    )


def test_another_regime_shares_generation_0(finished):
    regimes = [*REGIMES, {"name": "neon", "data": "replace", "neon": [1.0]}, {"name": "all", "data": "accumulate"}]
    assert runner.planned(finished, changed(regimes=regimes)) == (
        jobs(TURNED_STEP, "neon", 1) | jobs(UNCORRECTED, "all", 1) | REPORT
    )


def test_another_metric_trains_and_draws_nothing(finished):
    assert runner.planned(finished, LOOP | {"metrics": {"kid_subsets": 3}}) == (
        {("measure", "0", "heldout", "0", "enc~0.0_mid~0.0_dec~0.0")}
        | jobs(("measure",), "replace", 1)
        | jobs(("measure",), "half-neon", 1)
        | REPORT
    )


def test_another_weight_searches_and_trains_nothing(finished):
    regimes = [REGIMES[0], REGIMES[1] | {"neon": [0.5, 2.0]}]
    assert runner.planned(finished, changed(regimes=regimes)) == (
        jobs((*SEARCHED, "heldout", "measure"), "half-neon", 1) | REPORT
    )


def test_another_length_of_training_keeps_what_was_drawn_before_it(finished):
    planned = runner.planned(finished, changed(kimg=2))
    assert jobs(UNCORRECTED, "replace", 1) < planned
    assert not {job[0] for job in planned} & {"base", "loop_images", "generate"}


def test_neon_is_the_papers_formula(finished):
    """θ = θ_r − w·(θ_s − θ_r), with the w of the lowest FID on the search images."""
    folder = finished / RESULTS / "replica-0/loop/half-neon/1"
    chosen = json.loads((folder / "weight.json").read_text())
    assert f"all~{chosen['w']}" == min(chosen["search"], key=chosen["search"].get)
    r, s, found = (
        read_checkpoint(folder / f"{name}.safetensors").tensors for name in ("trained", "self-trained", "model")
    )
    moved = 0
    for name in found:
        expected = r[name].astype(np.float64) - chosen["w"] * (s[name].astype(np.float64) - r[name])
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-9)
        moved += not np.array_equal(r[name], s[name])
    assert moved > 10


def test_the_set_holds_half_real_images(finished):
    log = finished / RESULTS / "logs/replica-0/loop-half-neon/loop_train-1.log"
    assert "40 training images" in log.read_text()


def test_the_result_is_told_the_same_way_everywhere(finished, summary):
    lines = terminal_lines(summary)
    assert len(lines) == 1 + len(REGIMES)
    command = [sys.executable, "-m", "adaptive_neon.commands.cli", "show", finished / RESULTS]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = re.sub(r"\s+", " ", (finished / RESULTS / "report.html").read_text())
    for line in lines:
        assert line in shown
        assert line.strip() in page


def test_every_generation_is_measured_as_a_model_of_any_study(summary):
    assert summary["study"] == "loop"
    for regime in summary["regimes"]:
        (generations,) = regime["replicas"]
        assert len(generations) == 2
        for generation in generations:
            assert {"fid", "recall_interval", "coverage", "kid", "variance", "spread"} <= generation.keys()
    first, second = (regime["replicas"][0][0] for regime in summary["regimes"])
    assert first == second  # generation 0


def test_figures_and_tables_are_there(finished):
    figures = {path.name for path in (finished / RESULTS / "figures").iterdir()}
    assert figures == {"curves.svg", "sheet-replace.png", "sheet-half-neon.png"}
    tables = {path.name for path in (finished / RESULTS / "tables").iterdir()}
    assert tables == {f"{name}.{kind}" for name in ("regimes", "generations") for kind in ("csv", "md")}


@pytest.fixture
def copy_of_finished(finished, tmp_path):
    """To run in, where no other worker does."""
    return shutil.copytree(finished, tmp_path / "loop")


def test_images_that_are_there_already_are_measured(copy_of_finished):
    """Here those of the held-out seeds: their metrics are those of the model that drew them."""
    folder = copy_of_finished
    images = folder / RESULTS / "replica-0/loop/replace/1/heldout.npz"
    process = runner.run(folder, LOOP | {"measured": str(images)}, "--quiet", "all", target="measured")
    assert process.returncode == 0, process.stdout
    measured, model = (
        json.loads(path.read_text())
        for path in (folder / RESULTS / "measured/metrics.json", images.with_name("metrics.json"))
    )
    assert measured == model


def test_images_that_do_not_split_into_blocks_are_refused(copy_of_finished):
    images = copy_of_finished / RESULTS / "data/images.npz"
    process = runner.run(copy_of_finished, LOOP | {"measured": str(images)}, "--quiet", "all", target="measured")
    assert process.returncode == 1
    assert "adaptive-neon: measured: 1797 images do not split into intervals.seed_blocks = 4" in process.stdout
