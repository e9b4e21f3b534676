"""The images of a cell from several jobs are those from one, bit for bit; either way they stay up to date."""

import shutil

from . import runner
from .runner import SMALL

RESULTS = "results/tiny"
SUMMARY = f"{RESULTS}/summary.json"
BATCHES = {**SMALL, "run": {"sampling_batch": 15}}  # of 40 images: 15, 15 and 10
SHARDS = {**SMALL, "run": {"sampling_batch": 15, "shards": 3}}


def test_the_result_does_not_depend_on_the_number_of_shards(tmp_path):
    one, three = tmp_path / "one", tmp_path / "three"
    one.mkdir()
    results = {}
    for folder, config in ((one, BATCHES), (three, SHARDS)):
        process = runner.run(folder, config, target=SUMMARY)
        assert process.returncode == 0, process.stdout
        results[folder] = (folder / SUMMARY).read_bytes()
        cells = {job[2:] for job in runner.jobs(process.stdout) if job[0] == "generate"}
        shards = {job[2:] for job in runner.jobs(process.stdout) if job[0] == "shard"}
        assert cells and shards == (
            {(*cell, str(i)) for cell in cells for i in range(3)} if folder == three else set()
        )
        if folder == one:  # the same models, to be drawn from again
            shutil.copytree(one, three)
            for part in ("grid", "heldout", "selection"):
                shutil.rmtree(three / RESULTS / "replica-0" / part)
            (three / SUMMARY).unlink()
    assert results[three] == results[one]
    assert not list(tmp_path.rglob("shard*.npz"))
    assert runner.planned(one, SHARDS, SUMMARY) == runner.planned(three, BATCHES, SUMMARY) == set()
