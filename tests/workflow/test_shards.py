"""The images of a cell from several jobs are those from one, bit for bit; either way they stay up to date."""

from . import runner
from .runner import SMALL

RESULTS = "results/tiny"
BATCHES = {**SMALL, "run": {"sampling_batch": 15}}  # of 40 images: 15, 15 and 10
SHARDS = {**SMALL, "run": {"sampling_batch": 15, "shards": 3}}


def test_the_result_does_not_depend_on_the_number_of_shards(tmp_path):
    results = {}
    for name, config in (("one", BATCHES), ("three", SHARDS)):
        folder = tmp_path / name
        folder.mkdir()
        process = runner.run(folder, config)
        assert process.returncode == 0, process.stdout
        results[name] = (folder / RESULTS / "summary.json").read_bytes()
        cells = {job[2:] for job in runner.jobs(process.stdout) if job[0] == "generate"}
        shards = {job[2:] for job in runner.jobs(process.stdout) if job[0] == "shard"}
        assert shards == ({(*cell, str(i)) for cell in cells for i in range(3)} if name == "three" else set())
    assert results["three"] == results["one"]
    assert not list(tmp_path.rglob("shard*.npz"))
    assert runner.planned(tmp_path / "one", SHARDS) == runner.planned(tmp_path / "three", BATCHES) == set()
