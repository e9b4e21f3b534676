"""A faulty configuration ends in one line that names the key, before any job; overlays and --config work."""

import pytest

from . import runner


@pytest.mark.parametrize(
    "config, line",
    [
        ({"grid": {"weigths": [1.0]}}, "config: grid.weigths: unknown key; did you mean weights?"),
        ({"search": {"images": "many"}}, "config: search.images: 'many' must be a whole number"),
        (
            {"blocks": [{"name": "all", "pattern": "."}, {"name": "none", "pattern": "nowhere"}]},
            "blocks.none: 'nowhere' matches no parameter of this network; correct the pattern",
        ),
    ],
)
def test_a_fault_is_one_line_and_starts_no_job(tmp_path, config, line):
    process = runner.run(tmp_path, config, "--quiet", "all")
    assert process.returncode == 1
    said = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert said == [f"adaptive-neon: {line}"]
    assert "Traceback" not in process.stdout
    assert not (tmp_path / "results").exists()


def test_values_from_the_command_line_win(finished):
    process = runner.run(finished, None, "--config", "heldout={first_seed: 60000}", "--dry-run")
    assert {job[0] for job in runner.jobs(process.stdout)} >= {"generate", "measure", "summary"}
    assert not any(job[0] == "select" for job in runner.jobs(process.stdout))


def test_one_block_is_plain_neon(tmp_path):
    config = {"blocks": [{"name": "all", "pattern": "."}], "features": {"extractor": "inception"}}
    planned = runner.planned(tmp_path, config)
    assert ("generate", "0", "grid", "1", "0.5") in planned
    assert not any("0.5_1.0" in job for job in planned)
