"""What a finished study leaves behind."""

import base64
import csv
import hashlib
import html
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from adaptive_neon.commands.cli import main
from adaptive_neon.data.datasets import read_dataset
from adaptive_neon.data.images import read_images
from adaptive_neon.merging.grid import point_name
from adaptive_neon.studies.outcome import choose
from adaptive_neon.studies.wording import answer
from safetensors.numpy import load_file

from . import runner
from .runner import SMALL

RESULTS = "results/tiny"


@pytest.fixture(scope="module")
def summary(finished):
    return json.loads((finished / RESULTS / "summary.json").read_text())


def test_the_run_told_its_progress(finished):
    """Each job that ended is a line; at the end all are done, those too that the checkpoint added."""
    told = re.findall(r"(\d+) of (\d+) jobs done", (finished / "terminal.txt").read_text())
    done = [int(number) for number, _ in told]
    assert done == sorted(done)
    jobs = len(list((finished / RESULTS / "benchmarks").rglob("*.tsv")))
    assert told[-1] == (str(jobs), str(jobs)) and len(set(done)) == jobs


def test_summary_has_the_agreed_form(summary):
    assert summary["experiment"] == "tiny"
    assert summary["images"] == {"search": 40, "control": 0, "heldout": 40}
    assert {"fid", "precision", "recall", "density", "coverage", "kid", "kid_deviation"} <= summary["base"].keys()
    assert len(summary["base"]["recall_by_class"]) == 10
    assert "over_replicas" not in summary
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
        assert entry["improvement"]["fid"] == pytest.approx(summary["base"]["fid"] - entry["global"]["fid"])
        assert entry["blockwise"]["w"] in entry["indistinguishable"]


def test_winners_are_the_minima_of_the_grid(finished, summary):
    for entry in summary["snapshots"]:
        path = finished / RESULTS / f"replica-0/selection/{entry['kimg']}.json"
        metrics = json.loads(
            (finished / RESULTS / f"replica-0/grid/{entry['kimg']}/points/metrics.json").read_text()
        )
        assert len(metrics) == 2**3 + 1
        fids = {point: values["fid"] for point, values in metrics.items() if "-1.0" not in point}
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
    of_snapshots = ("grid-{}.svg", "classes-{}.svg", "sheet-{}.png", "neighbours-{}.png")
    assert figures == {"snapshots.svg", "replica-0/diagonal.svg", "replica-0/drift.svg"} | {
        f"replica-0/{name.format(kimg)}" for name in of_snapshots for kimg in (1, 2)
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


def test_the_report_leads_with_the_answer_and_opens_offline(finished, summary):
    page = (finished / RESULTS / "report.html").read_text()
    sentences = [html.escape(sentence) for sentence in answer(summary)]
    assert page.index(sentences[0]) < page.index(sentences[1]) < page.index("<table")
    assert "://" not in page  # nothing is fetched
    pictures = re.findall(r'<img alt="[^"]*" src="data:image/(svg\+xml|png);base64,([^"]+)"', page)
    assert len(pictures) == page.count("<img") == 8
    drawn = {base64.b64decode(data) for _, data in pictures}
    for name in ("snapshots.svg", "replica-0/diagonal.svg", "replica-0/drift.svg", "replica-0/grid-2.svg"):
        assert (finished / RESULTS / "figures" / name).read_bytes() in drawn


def test_the_report_says_where_its_numbers_are(finished):
    page = (finished / RESULTS / "report.html").read_text()
    named = set(re.findall(r"<code>(results/[^<]+)</code>", page))
    assert len(named) >= 12
    assert all((finished / path).exists() for path in named)


def test_provenance(finished):
    provenance = json.loads((finished / RESULTS / "provenance.json").read_text())
    for path in ("data/images.npz", "base/model.safetensors"):
        expected = hashlib.sha256((finished / RESULTS / path).read_bytes()).hexdigest()
        assert provenance["checksums"][f"{RESULTS}/{path}"] == expected
    assert provenance["seeds"] == [[0, [100000, 100], [0, 40], [50000, 40], 0]]
    assert provenance["versions"]["numpy"] == np.__version__
    assert provenance["times"]["generate"]["jobs"] > 0


def test_two_random_directions_are_compared_over_replicas(tmp_path):
    """The null study: directions of self-training's length; the report says that they are random."""
    config = SMALL | {"replicas": 2, "direction": "random"}
    process = runner.run(tmp_path, config)
    assert process.returncode == 0, process.stdout
    summary = json.loads((tmp_path / RESULTS / "summary.json").read_text())
    fids = [replica["snapshots"][0]["collapsed"]["fid"] for replica in summary["replicas"]]
    assert len(set(fids)) == 2
    (over,) = summary["over_replicas"]
    estimates = [replica["snapshots"][0]["collapsed"]["fid_corrected"] for replica in summary["replicas"]]
    assert over["collapsed"]["fid"]["fid_corrected"] == pytest.approx(np.mean(estimates))
    assert "a random direction" in (tmp_path / RESULTS / "report.html").read_text()
    with open(tmp_path / RESULTS / "tables/replicas.csv", newline="") as file:
        assert {row[1] for row in csv.reader(file)} > {"FID, base", "FID base − single", "w, best single weight"}
    trained, random = (
        load_file(tmp_path / RESULTS / f"replica-0/{stage}/2/model.safetensors")
        for stage in ("finetune", "random")
    )
    base = load_file(tmp_path / RESULTS / "base/model.safetensors")
    lengths = [
        sum(((model[name].astype(float) - base[name]) ** 2).sum() for name in base) for model in (trained, random)
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-5)


def test_the_outcome_is_a_model_or_a_card_that_says_why_not(finished, summary, tmp_path):
    """The tiny study's FIDs are noise; whatever it chose, the folder agrees with summary.json."""
    model = finished / RESULTS / "model"
    choice = choose(summary)
    files = {"README.md"} | ({"model.safetensors", "model.pt"} if choice else set())
    assert {path.name for path in model.iterdir() if path.name != ".snakemake_timestamp"} == files
    assert answer(summary)[0] in (model / "README.md").read_text()
    if choice:
        images = tmp_path / "images.npz"
        main(["sample", str(model), "--seeds", "50000-50009", "--batch", "20", "-o", str(images)])
        drawn, _ = read_dataset(images)
        point = point_name(choice.point)
        path = finished / RESULTS / f"replica-0/heldout/{choice.kimg}/{point}/images.npz"
        assert np.abs(drawn.astype(int) - read_images(path, point)[0][:10]).max() <= 1


def test_show_prints_the_times_and_five_lines(finished):
    shown = subprocess.run(
        [sys.executable, "-m", "adaptive_neon.commands.cli", "show", finished / RESULTS],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = shown.stdout.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("tiny: FID")))
    assert lines[start + 4 : start + 7] == answer(json.loads((finished / RESULTS / "summary.json").read_text()))
    assert any(line.split()[:1] == ["generate"] and "start-up" in line for line in lines[:start])
