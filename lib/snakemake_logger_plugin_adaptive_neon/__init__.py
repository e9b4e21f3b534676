"""Snakemake's `--logger adaptive-neon`: the progress of a run on one line of the terminal.

Where standard error is no terminal, it is a line for each job that ends, and one a minute. Snakemake finds the
plugin by the name of this package; errors and all else remain with Snakemake's own logger.
"""

import shutil
import sys
import threading
from logging import LogRecord
from pathlib import Path

from adaptive_neon.jobs.progress import Progress
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

TARGETS = ("all", "toy", "collapse")  # rules without work
ERASE = "\r\x1b[K"  # the line that the cursor is on


class LogHandler(LogHandlerBase):
    writes_to_stream = False  # as Snakemake means it: instead of its own
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.progress = Progress()
        self.terminal = sys.stderr.isatty()
        self.ended = threading.Event()
        self.guard = threading.Lock()
        self.thread = threading.Thread(target=self._keep_telling, daemon=True)

    def emit(self, record: LogRecord) -> None:
        event = getattr(record, "event", None)
        with self.guard:
            if event == LogEvent.RUN_INFO:
                rules = {name: n for name, n in record.stats.items() if name not in ("total", *TARGETS)}
                self.progress.plan(rules)
                if rules and not self.thread.is_alive() and not self.common_settings.dryrun:
                    self.thread.start()
            elif event == LogEvent.JOB_INFO and record.rule_name not in TARGETS:
                log = Path(record.log[0]) if record.log else None
                self.progress.start(record.jobid, record.rule_name, log)
            elif event == LogEvent.PROGRESS:
                self.progress.grow(record.total - 1)  # but for the target
            elif event == LogEvent.JOB_FINISHED and self.progress.finish(record.job_id) and not self.terminal:
                self._tell()

    def close(self) -> None:
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
        super().close()

    def _keep_telling(self) -> None:
        while not self.ended.wait(1 if self.terminal else 60):
            with self.guard:
                self._tell()
        if self.terminal:
            sys.stderr.write(ERASE)
            sys.stderr.flush()

    def _tell(self) -> None:
        line = self.progress.line()
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"{ERASE}{line if len(line) <= width else line[: width - 1] + '…'}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
