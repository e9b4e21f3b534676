import pytest
from adaptive_neon.jobs.times import StageTime, stage_times, time_lines


@pytest.fixture
def results(tmp_path):
    """The benchmark and log files of a finished run: job → seconds, first line of its log."""
    jobs = {
        "base": (100.0, "start-up 4.00 s\n"),
        "replica-0/finetune-12": (20.0, "start-up 2.00 s\nstart-up 99 s\n"),
        "replica-0/finetune-25": (30.5, "start-up 3.50 s\n"),
        "replica-0/select-12": (1.0, "something else\n"),
        "replica-0/plot-grid-12": (2.0, "start-up 1.00 s\n"),
        "replica-0/plot-diagonal": (1.5, None),
        "replica-0/grid-12/0.5_1.0-measure": (3.0, "start-up 0.50 s\n"),
        "replica-0/grid-12/-1.0-generate": (20.0, "start-up 2.50 s\n"),
        "replica-0/grid-12/0.5_1.0-shard-11": (20.0, "start-up 2.50 s\n"),
        "replica-1/heldout-25/enc~1.25_mid~1.0-generate": (17.5, "start-up 5.00 s\nGPU 0, waited 7.5 s\n"),
    }
    for job, (seconds, log) in jobs.items():
        for folder, suffix, text in (
            ("benchmarks", "tsv", f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t12.5\n"),
            ("logs", "log", log),
        ):
            path = tmp_path / folder / f"{job}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
    return tmp_path


def test_stages(results):
    assert stage_times(results) == {
        "base": StageTime(1, 100.0, 4.0),
        "finetune": StageTime(2, 50.5, 5.5),
        "generate": StageTime(2, 30.0, 7.5),
        "shard": StageTime(1, 20.0, 2.5),
        "measure": StageTime(1, 3.0, 0.5),
        "plot-grid": StageTime(1, 2.0, 1.0),
        "plot-diagonal": StageTime(1, 1.5, 0.0),
        "select": StageTime(1, 1.0, 0.0),
    }


def test_the_longest_stage_comes_first(results):
    assert list(stage_times(results))[:3] == ["base", "finetune", "generate"]


def test_lines(results):
    lines = time_lines(stage_times(results))
    assert lines[0].split() == ["base", "1", "jobs", "100.0", "s,", "start-up", "4%"]
    assert lines[2].split() == ["generate", "2", "jobs", "30.0", "s,", "start-up", "25%"]
    # 21 s of 208 s
    assert lines[-1].split() == ["all", "10", "jobs", "208.0", "s,", "start-up", "10%"]
    assert len({len(line) for line in lines}) == 1


def test_a_folder_without_benchmarks_has_no_times(tmp_path):
    assert stage_times(tmp_path) == {}
    assert time_lines({}) == []
