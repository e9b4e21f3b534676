"""The 2-D Gaussian studies as a user runs them: `snakemake toy`."""

import csv
import fcntl
import html
import json
import re
import subprocess
import sys

import pytest
from adaptive_neon.toy.summary import terminal_lines

from . import runner
from .conftest import run_once

TOY = "results/toy"
FAMILIES = ("diffusion", "autoregressive")
RESULT = {("toy_summary",), ("toy_tables",), ("toy_figures",), ("toy_report",)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished tiny study of one seed. Read only, but for dry runs."""
    return run_once(tmp_path_factory, "toy", target="toy")


@pytest.fixture(scope="module")
def summary(finished):
    return json.loads((finished / TOY / "summary.json").read_text())


def stage(name, seed="0", families=FAMILIES):
    return {(f"toy_{name}", family, seed) for family in families}


def test_a_finished_study_has_nothing_to_run_and_touched_no_experiment(finished):
    assert runner.planned(finished, target="toy") == set()
    assert [path.name for path in (finished / "results").iterdir()] == ["toy"]


def test_the_experiment_knows_nothing_of_it(finished):
    assert not any(job[0].startswith("toy") for job in runner.planned(finished))


def test_another_seed_runs_alone(finished):
    per_seed = set.union(*(stage(name, "1") for name in ("models", "sweep", "alignment")))
    per_seed |= {("toy_layerwise", "1"), ("toy_search", "1")}
    assert sorted_jobs(runner.planned(finished, {"toy": {"seeds": 2}}, "toy")) == sorted_jobs(per_seed | RESULT)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"layerwise": {"starts": 2}}, {("toy_search", "0")}),
        ({"layerwise": {"deltas": [0.5]}}, {("toy_layerwise", "0")}),
        ({"diffusion": {"alignment": {"passes": 2}}}, stage("alignment", families=("diffusion",))),
        (
            {"autoregressive": {"self_training": {"lr": 1.0e-2}}},
            set.union(*(stage(name, families=("autoregressive",)) for name in ("models", "sweep", "alignment"))),
        ),
    ],
)
def test_a_change_runs_what_it_touches(finished, change, touched):
    assert sorted_jobs(runner.planned(finished, {"toy": change}, "toy")) == sorted_jobs(touched | RESULT)


def sorted_jobs(jobs):
    """Each job with its wildcards in one order."""
    return sorted((job[0], *sorted(job[1:])) for job in jobs)


def test_summary_repeats_what_the_stages_wrote(finished, summary):
    read = {
        name: json.loads((finished / TOY / f"seed-0/diffusion/{name}.json").read_text())
        for name in ("sweep", "layerwise", "search", "alignment")
    }
    assert summary["seeds"] == [0]
    assert summary["diffusion"]["base"]["values"] == [read["sweep"]["base"]]
    entry = next(
        entry for entry in read["sweep"]["self_training"] if (entry["scale"], entry["epochs"]) == (1.1, 2)
    )
    assert entry["w"] == entry["weights"][entry["distances"].index(min(entry["distances"]))]
    assert (read["layerwise"]["w"], read["layerwise"]["single"]) == (entry["w"], entry["distance"])
    assert read["layerwise"]["evaluations"] == 2 * 3**6
    assert [part["distance"]["median"] for part in summary["layerwise"]["grids"]] == [
        part["distance"] for part in read["layerwise"]["grids"]
    ]
    assert len(read["search"]) == 2
    assert len(read["alignment"]["cosines"]) == 3


def test_tables_and_figures_are_there(finished):
    with open(finished / TOY / "tables/layerwise.csv", newline="") as file:
        models = [row[0] for row in csv.reader(file)]
    assert [model for model in models if model.startswith("δ")] == ["δ = 0.5", "δ = 1.72"]
    tables = {path.name for path in (finished / TOY / "tables").iterdir()}
    names = ("layerwise", "sweep", "cost", "statements")
    assert tables == {f"{name}.{kind}" for name in names for kind in ("csv", "md")}
    figures = {path.stem for path in (finished / TOY / "figures").glob("*.svg")}
    assert figures == {"layerwise", "winners", "directions"} | {
        f"{family}-{what}" for family in FAMILIES for what in ("samples", "sweep", "alignment")
    }


def test_the_report_leads_with_the_result_and_opens_offline(finished, summary):
    page = (finished / TOY / "report.html").read_text()
    lines = [html.escape(line) for line in terminal_lines(summary)]
    assert all(page.index(line) < page.index("<table") for line in lines)
    assert page.count("<img") == page.count('src="data:image/svg+xml;base64,') == 9
    assert "://" not in page  # nothing is fetched
    named = set(re.findall(r"<code>(results/[^<]+)</code>", page))
    assert len(named) == 14
    assert all((finished / path).exists() for path in named)


def test_show_prints_the_result(finished):
    command = [sys.executable, "-m", "adaptive_neon.commands.cli", "show", finished / TOY]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("toy: ")))
    assert "1 seed" in lines[start]
    assert lines[start + 6 :] == [f"report: {finished / TOY}/report.html"]


def test_a_run_locks_what_it_writes_and_nothing_else(tmp_path):
    (tmp_path / TOY).mkdir(parents=True)
    with open(tmp_path / TOY / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = runner.run(tmp_path, target="toy")
        assert process.returncode != 0
        assert "results/toy: another run is at work here" in process.stdout
        assert runner.run(tmp_path, None, "--until", "data").returncode == 0


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            {"toy": {"layerwise": {"delta": [1.0]}}},
            "config: toy.layerwise.delta: unknown key; did you mean deltas?",
        ),
        (
            {"experiment": "toy"},
            "config: experiment: toy is the folder of the 2-D Gaussian studies; choose another",
        ),
    ],
)
def test_a_fault_is_one_line(tmp_path, config, line):
    process = runner.run(tmp_path, config, "--quiet", "all", target="toy")
    assert process.returncode == 1
    (said,) = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert said.startswith(f"adaptive-neon: {line}")
