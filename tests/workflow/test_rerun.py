"""From a finished study, a change of the configuration runs what it touches and nothing else."""

import pytest

from . import runner

SNAPSHOTS = ("1", "2")
CELLS = ("points",)
BASE_CELL = ("grid", "0", "0.0")
BASE_POINT = "enc~0.0_mid~0.0_dec~0.0"

REPORT = {("summary",), ("figures",), ("model",), ("report",)}


def evaluation(rules, cells):
    """The jobs of some rules of rules/evaluation.smk for (stage, kimg, cell)."""
    return {(rule, "0", *cell) for rule in rules for cell in cells}


def per_snapshot(rules, snapshots=SNAPSHOTS):
    return {(rule, "0", kimg) for rule in rules for kimg in snapshots}


def grid_cells(cells=CELLS, snapshots=SNAPSHOTS):
    return {("grid", kimg, cell) for kimg in snapshots for cell in cells}


@pytest.fixture(scope="session")
def heldout_cells(finished):
    """Which cells the finished study measured on held-out seeds."""
    folders = (finished / "results/tiny/replica-0/heldout").glob("*/*")
    return {("heldout", folder.parent.name, folder.name) for folder in folders}


def test_a_finished_study_has_nothing_to_run(finished):
    assert runner.planned(finished) == set()


def test_one_more_weight_runs_its_own_points_and_what_selects_and_reports(finished):
    new_cells = grid_cells(("0.75", "0.5_0.75", "0.75_1.0", "0.5_0.75_1.0"))
    assert runner.planned(finished, {"grid": {"weights": [0.5, 0.75, 1.0]}}) == (
        evaluation(("generate", "measure"), new_cells) | per_snapshot(("select",)) | REPORT
    )


def test_one_more_weight_regenerates_no_winner_that_stays(copy_of_finished, heldout_cells):
    process = runner.run(copy_of_finished, {"grid": {"weights": [0.5, 0.75, 1.0]}})
    assert process.returncode == 0, process.stdout
    generated = {job[2:] for job in runner.jobs(process.stdout) if job[0] == "generate"}
    assert generated & (grid_cells() | heldout_cells) == set()
    assert runner.planned(copy_of_finished, {"grid": {"weights": [0.5, 0.75, 1.0]}}) == set()


def test_one_weight_less_draws_nothing_in_the_search(finished):
    assert runner.planned(finished, {"grid": {"weights": [1.0]}}) == (
        evaluation(("measure",), grid_cells()) | per_snapshot(("select",)) | REPORT
    )


def test_another_feature_extractor_remeasures_and_does_not_regenerate(finished, heldout_cells):
    planned = runner.planned(finished, {"features": {"seed": 1}})
    assert planned == (
        {("extractor",), ("reference",)}
        | evaluation(("measure",), grid_cells() | {BASE_CELL})
        | {job for job in planned if job[0] == "measure" and job[2] == "heldout"}
        | per_snapshot(("select",))
        | REPORT
    )


def test_other_heldout_seeds_touch_nothing_of_the_search(finished, heldout_cells):
    assert runner.planned(finished, {"heldout": {"first_seed": 60000}}) == (
        evaluation(("generate", "measure"), heldout_cells) | REPORT
    )


def test_one_more_snapshot_trains_only_the_stretch_after_the_last(finished):
    assert runner.planned(finished, {"finetune": {"snapshots_kimg": [1, 2, 3]}}) == (
        {("finetune", "0", "3"), ("drift", "0")}
        | evaluation(("generate", "measure"), grid_cells(snapshots=("3",)))
        | evaluation(("generate", "measure"), {("heldout", "3", "enc~-1.0_mid~-1.0_dec~-1.0")})
        | per_snapshot(("select",), ("3",))
        | REPORT
    )


def test_another_synthetic_seed_reruns_all_behind_it_and_not_the_base(finished):
    planned = runner.planned(finished, {"synthetic": {"first_seed": 200000}})
    assert planned == (
        {("synthetic", "0"), ("drift", "0")}
        | per_snapshot(("finetune", "select"))
        | evaluation(("generate", "measure"), grid_cells())
        | {job for job in planned if job[0] in ("generate", "measure") and job[2] == "heldout"}
        | REPORT
    )


def test_another_replica_repeats_the_self_training_alone(finished):
    planned = runner.planned(finished, {"replicas": 2})
    assert {job[0] for job in planned if len(job) == 1} == {job[0] for job in REPORT}
    assert {job[1] for job in planned if len(job) > 1} == {"1"}
    assert {("synthetic", "1"), ("finetune", "1", "1"), ("finetune", "1", "2")} < planned


def test_how_to_compute_puts_nothing_out_of_date(finished):
    run = {"job_threads": 2, "sampling_batch": 7, "checkpoint_minutes": 1, "device": "cpu", "precision": "float32"}
    assert runner.planned(finished, {"run": run}) == set()
