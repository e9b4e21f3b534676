"""A search of sampler settings together with the weights, to its end."""

import json

from adaptive_neon.data.images import read_images

from . import runner

SEARCH = {
    "blocks": [{"name": "all", "pattern": "."}],
    "finetune": {"snapshots_kimg": [1]},
    "grid": {"weights": [0.5], "diagonal": [], "sampler": {"steps": [2, 3]}},
    "classes": "balanced",
}


def test_weights_and_sampler_settings_are_searched_together(copy_of_finished):
    folder = copy_of_finished
    process = runner.run(folder, SEARCH)
    assert process.returncode == 0, process.stdout
    drawn = {(kimg, cell) for rule, _, stage, kimg, cell in _cells(process.stdout) if stage == "grid"}
    assert drawn == {(kimg, f"{cell}@steps~{n}") for kimg, cell in (("0", "0.0"), ("1", "points")) for n in (2, 3)}

    results = folder / "results/tiny"
    _, classes = read_images(results / "replica-0/grid/1/points@steps~2/images.npz", "all~0.5@steps~2")
    assert classes.tolist() == [seed % 10 for seed in range(40)]
    found = json.loads((results / "replica-0/selection/1.json").read_text())
    for role, point in (("base", "all~0.0"), ("global", "all~0.5")):
        fids = {n: found["search"][f"{point}@steps~{n}"]["fid"] for n in (2, 3)}
        assert found["roles"][role] == f"{point}@steps~{min(fids, key=fids.get)}"
    summary = json.loads((results / "summary.json").read_text())
    chosen = summary["snapshots"][0]["global"]
    assert chosen["w"] == {"all": 0.5}
    assert found["roles"]["global"] == f"all~0.5@steps~{chosen['sampler']['steps']}"
    assert f"steps {chosen['sampler']['steps']}" in (results / "report.html").read_text()


def _cells(output):
    return [job for job in runner.jobs(output) if job[0] == "generate"]
