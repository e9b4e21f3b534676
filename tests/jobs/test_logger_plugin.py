"""What Snakemake's `--logger adaptive-neon` writes to standard error, a terminal or not."""

import io
import sys
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_adaptive_neon import ERASE, LogHandler


@pytest.fixture
def told(monkeypatch):
    """`told(terminal)`: what a run of two jobs writes."""

    def run(terminal):
        stream = io.StringIO()
        stream.isatty = lambda: terminal
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("COLUMNS", "40")
        handler = LogHandler(SimpleNamespace(dryrun=False), None)
        if terminal:
            ended = iter([False, True])
            handler.ended.wait = lambda seconds: next(ended)  # one second goes by
        handler.emit(
            SimpleNamespace(event=LogEvent.RUN_INFO, stats={"base": 1, "measure": 1, "all": 1, "total": 3})
        )
        for job, rule in enumerate(("base", "measure", "all")):
            handler.emit(SimpleNamespace(event=LogEvent.JOB_INFO, rule_name=rule, log=[], jobid=job))
            handler.emit(SimpleNamespace(event=LogEvent.JOB_FINISHED, job_id=job))
        handler.close()
        return stream.getvalue()

    return run


def test_a_terminal_has_one_line_that_is_gone_at_the_end(told):
    text = told(terminal=True)
    assert "\n" not in text and "of 2 jobs done" in text
    assert text.endswith(ERASE)
    assert all(len(line) < 40 for line in text.split(ERASE))


def test_elsewhere_each_job_that_ends_is_a_line(told):
    lines = told(terminal=False).splitlines()
    assert [line.partition(" jobs done")[0] for line in lines] == ["1 of 2", "2 of 2"]
    assert "\x1b" not in "".join(lines)
