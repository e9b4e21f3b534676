"""Several finished studies on one page."""

import csv
import json
import shutil

import pytest

from . import runner


def test_two_studies_are_two_rows(copy_of_finished):
    results = copy_of_finished / "results"
    (results / "other").mkdir()
    summary = json.loads((results / "tiny/summary.json").read_text())
    (results / "other/summary.json").write_text(json.dumps(summary | {"experiment": "other"}))
    shutil.copytree(results / "tiny/benchmarks", results / "other/benchmarks")
    for name, hours in (("tiny", 2), ("other", 3)):  # of all other jobs it is seconds
        (results / name / "benchmarks/base.tsv").write_text(f"s\tcpu_time\n1.0\t{3600 * hours}\n")
    process = runner.run(copy_of_finished, {"compare": ["tiny", "other"]}, target="compare")
    assert process.returncode == 0, process.stdout
    assert runner.jobs(process.stdout) == {("compare",)}

    with open(results / "compare/studies.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["study"] for row in rows] == ["tiny", "other"]
    assert [float(row["core-hours"]) for row in rows] == pytest.approx([2, 3], abs=0.1)
    for row in rows:
        assert float(row["base FID"]) == round(summary["base"]["fid"], 3)
    page = (results / "compare/report.html").read_text()
    assert "<h2>other</h2>" in page and "weights.svg" in page


def test_a_study_that_has_not_run_is_named(finished):
    process = runner.run(finished, {"compare": ["tiny", "absent"]}, "--dry-run", target="compare")
    assert process.returncode and "results/absent/summary.json" in process.stdout
