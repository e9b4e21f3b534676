"""The studies of loops as a user runs them: `snakemake collapse`."""

import csv
import json
import re
import subprocess
import sys

import pytest
from adaptive_neon.collapse.layout import FIGURES, MODELS, TABLES
from adaptive_neon.collapse.summary import terminal_lines
from markupsafe import escape

from . import runner
from .conftest import run_once

COLLAPSE = "results/collapse"
DRAWN = {("collapse_figures",), ("collapse_report",)}
RESULT = {("collapse_summary",), *DRAWN}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of finished tiny studies. Read only, but for dry runs."""
    return run_once(tmp_path_factory, "collapse", target="collapse")


@pytest.fixture(scope="module")
def summary(finished):
    return json.loads((finished / COLLAPSE / "summary.json").read_text())


def test_finished_studies_have_nothing_to_run_and_touched_no_experiment(finished):
    assert runner.planned(finished, target="collapse") == set()
    assert [path.name for path in (finished / "results").iterdir()] == ["collapse"]
    assert not any(job[0].startswith("collapse") for job in runner.planned(finished))


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"seeds": 21}, {("collapse_study",), *RESULT}),
        ({"study": {"shown": [1.0]}}, DRAWN),
        ({"laws": {"seeds": 50}}, {("collapse_laws",), ("collapse_summary",), ("collapse_report",)}),
        ({"neon": {"weights": [0, 2]}}, {("collapse_neon",), *RESULT}),
        (
            {"prevention": {"seeds": 30}},
            {*(("collapse_prevention", model) for model in MODELS), *RESULT},
        ),
        (
            {"seed": 1},
            {
                *((f"collapse_{stage}",) for stage in ("study", "mixture", "laws", "curves", "neon")),
                *(("collapse_prevention", model) for model in MODELS),
                *RESULT,
            },
        ),
    ],
)
def test_a_change_runs_what_it_touches(finished, change, touched):
    assert runner.planned(finished, {"collapse": change}, "collapse") == touched


def test_tables_and_figures_are_there(finished, summary):
    tables = {path.name for path in (finished / COLLAPSE / "tables").iterdir()}
    assert tables == {f"{name}.{kind}" for name in TABLES for kind in ("csv", "md")}
    with open(finished / COLLAPSE / "tables/laws.csv", newline="") as file:
        _, *rows = csv.reader(file)
    assert len(rows) == len(summary["statements"]) > 50
    assert all(cell for row in rows for cell in row)
    assert {path.stem for path in (finished / COLLAPSE / "figures").glob("*.svg")} == set(FIGURES)


def test_summary_repeats_what_the_stages_wrote(finished, summary):
    study = json.loads((finished / COLLAPSE / "study.json").read_text())
    assert [entry["share"] for entry in summary["shares"]] == [0.5, 1.0]
    assert summary["shares"][1]["variance"] == study[1]["variance"][-1]
    assert summary["shares"][1]["generations"] == 12
    assert list(summary["prevention"]) == list(MODELS)
    assert {entry["n"] for entry in summary["prevention"]["gaussian"]} == {10, 32}


def test_the_report_leads_with_the_answers_and_opens_offline(finished, summary):
    page = (finished / COLLAPSE / "report.html").read_text()
    lines = [str(escape(line)) for line in terminal_lines(summary)]
    assert all(page.index(line) < page.index("<table") for line in lines)
    for question in ("What collapses", "How fast", "What prevents it", "What Neon does"):
        assert any(question in line for line in lines)
    assert page.count("<img") == page.count('src="data:image/svg+xml;base64,') == len(FIGURES)
    assert "://" not in page  # nothing is fetched
    named = set(re.findall(r"<code>(results/[^<]+)</code>", page))
    assert len(named) == len(FIGURES) + len(TABLES) + 1
    assert all((finished / path).exists() for path in named)


def test_show_prints_the_result(finished):
    command = [sys.executable, "-m", "adaptive_neon.commands.cli", "show", finished / COLLAPSE]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("collapse: ")))
    assert "20 seeds" in lines[start]
    assert lines[start + 6 :] == [f"report: {finished / COLLAPSE}/report.html"]


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            {"collapse": {"study": {"share": [1.0]}}},
            "config: collapse.study.share: unknown key; did you mean shares?",
        ),
        (
            {"experiment": "collapse"},
            "config: experiment: collapse is the folder of the studies of loops; choose another",
        ),
    ],
)
def test_a_fault_is_one_line(tmp_path, config, line):
    process = runner.run(tmp_path, config, "--quiet", "all", target="collapse")
    assert process.returncode == 1
    (said,) = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert said.startswith(f"adaptive-neon: {line}")
