"""What a finished study leaves behind."""

import csv
import json
import subprocess
import sys

import pytest

from . import runner

RESULTS = "results/tiny"


@pytest.fixture(scope="module")
def summary(finished):
    return json.loads((finished / RESULTS / "summary.json").read_text())


def test_summary_has_the_agreed_form(summary):
    assert summary["experiment"] == "tiny"
    assert summary["images"] == {"search": 40, "heldout": 40}
    assert {"fid", "precision", "recall"} <= summary["base"].keys()
    assert [entry["kimg"] for entry in summary["snapshots"]] == [1, 2]
    for entry in summary["snapshots"]:
        for role in ("global", "blockwise"):
            assert entry[role].keys() >= {"w", "search_fid", "fid", "fid_interval"}
            assert list(entry[role]["w"]) == ["enc", "mid", "dec"]
        assert len(set(entry["global"]["w"].values())) == 1
        assert entry["blockwise"]["search_fid"] <= entry["global"]["search_fid"]
        difference = entry["global"]["fid"] - entry["blockwise"]["fid"]
        assert entry["gain"]["fid"] == pytest.approx(difference, abs=1e-12)
        assert entry["gain"]["verdict"] in ("better", "worse", "not distinguishable")


def test_winners_are_the_minima_of_the_grid(finished, summary):
    for entry in summary["snapshots"]:
        path = finished / RESULTS / f"replica-0/selection/{entry['kimg']}.json"
        fids = {}
        for cell in ("0.5", "1.0", "0.5_1.0"):
            metrics = finished / RESULTS / f"replica-0/grid/{entry['kimg']}/{cell}/metrics.json"
            fids |= {point: values["fid"] for point, values in json.loads(metrics.read_text()).items()}
        assert len(fids) == 2**3
        assert entry["blockwise"]["search_fid"] == min(fids.values())
        assert json.loads(path.read_text())["roles"]["blockwise"] == min(fids, key=fids.get)


def test_tables_and_figures_are_there_and_merged_models_are_not(finished):
    with open(finished / RESULTS / "tables/table1.csv", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["kimg", "1", "2"]
    figures = {
        str(path.relative_to(finished / RESULTS / "figures"))
        for path in (finished / RESULTS).rglob("figures/**/*.*")
    }
    assert figures == {"snapshots.svg", "replica-0/diagonal.svg"} | {
        f"replica-0/{name}" for name in ("grid-1.svg", "grid-2.svg", "sheet-1.png", "sheet-2.png")
    }
    assert not list((finished / RESULTS).rglob("models"))


def test_every_job_has_a_log_and_a_benchmark(finished):
    logs = {
        path.relative_to(finished / RESULTS / "logs").with_suffix("")
        for path in (finished / RESULTS / "logs").rglob("*.log")
    }
    benchmarks = {
        path.relative_to(finished / RESULTS / "benchmarks").with_suffix("")
        for path in (finished / RESULTS / "benchmarks").rglob("*.tsv")
    }
    assert logs == benchmarks
    assert all(log.read_text().startswith("start-up ") for log in (finished / RESULTS / "logs").rglob("*.log"))


def test_the_report_is_one_page_with_every_figure(copy_of_finished):
    process = runner.run(copy_of_finished, None, "--report", "report.html")
    assert process.returncode == 0, process.stdout
    page = (copy_of_finished / "report.html").read_text()
    for name in ("table1.csv", "snapshots.svg", "diagonal.svg", "grid-1.svg", "sheet-2.png"):
        assert name in page


def test_show_prints_the_times_and_five_lines(finished):
    shown = subprocess.run(
        [sys.executable, "-m", "adaptive_neon.cli", "show", finished / RESULTS],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = shown.stdout.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("tiny: FID")))
    assert len(lines[start:]) == 5
    assert any(line.split()[:1] == ["generate"] and "start-up" in line for line in lines[:start])
