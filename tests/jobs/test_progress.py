"""What a run tells of its progress, on a clock of the test's own."""

from pathlib import Path

import pytest
from adaptive_neon.jobs.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """`clock.now` is the time that the module sees."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr("adaptive_neon.jobs.progress.time.monotonic", lambda: Clock.now)
    return Clock


def test_a_line_tells_what_is_done_and_what_runs(clock, tmp_path):
    progress = Progress()
    progress.plan({"base": 1, "generate": 10})
    log = tmp_path / "base.log"
    log.write_bytes("\r 12%|█ | 19k/160k\r 37%|███▋ | 59k/160k [01:10<02:00]".encode())
    progress.start(1, "base", log)
    assert progress.line() == "0 of 11 jobs done; running: base 37 %"
    assert progress.finish(1) == "base" and progress.finish(1) is None
    progress.start(2, "generate", Path("absent.log"))
    assert progress.line() == "1 of 11 jobs done; running: generate"


def test_the_time_left_is_that_of_jobs_of_the_same_rule_side_by_side(clock):
    """Two at a time, 10 s each; a job of another rule counts as long as the mean of all."""
    progress = Progress()
    progress.plan({"generate": 10, "report": 1})
    for job in range(0, 4, 2):
        progress.start(job, "generate", None)
        progress.start(job + 1, "generate", None)
        clock.now += 10
        progress.finish(job)
        progress.finish(job + 1)
    assert progress.seconds_left() == pytest.approx((6 * 10 + 10) / 2)
    progress.start(4, "generate", None)
    clock.now += 4
    # 1 job for 4 s: 44 s of work in 24 s of time
    assert progress.seconds_left() == pytest.approx((6 + 5 * 10 + 10) / (44 / 24))


def test_a_job_of_a_new_rule_counts_as_the_mean_of_all_jobs(clock):
    """Not as the mean of all rules, of which one long job would make most."""
    progress = Progress()
    progress.plan({"base": 1, "generate": 9, "report": 1})
    for job, (rule, seconds) in enumerate([("base", 90), *9 * [("generate", 5)]]):
        progress.start(job, rule, None)
        clock.now += seconds
        progress.finish(job)
    assert progress.seconds_left() == pytest.approx((90 + 9 * 5) / 10)


def test_a_long_job_counts_by_its_progress_bar(clock, tmp_path):
    progress = Progress()
    progress.plan({"base": 1})
    log = tmp_path / "base.log"
    progress.start(1, "base", log)
    clock.now += 30
    assert progress.seconds_left() is None
    log.write_text(" 25%|██▌ |")
    assert progress.seconds_left() == pytest.approx(90)
    assert progress.line() == "0 of 1 jobs done, about 2 min left; running: base 25 %"


def test_a_checkpoint_adds_jobs(clock):
    progress = Progress()
    progress.plan({"select": 1, "report": 1})
    progress.start(1, "select", None)
    clock.now += 8
    progress.finish(1)
    progress.grow(6)
    assert progress.total == 6 and progress.seconds_left() == pytest.approx(5 * 8)
    progress.start(2, "generate", None)
    progress.start(3, "generate", None)
    assert progress.total == 6
