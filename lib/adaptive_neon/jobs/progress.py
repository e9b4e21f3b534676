"""How far a run of many jobs is: jobs done of how many, what runs, and the time left."""

import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

PERCENT = re.compile(rb"(\d{1,3})%\|")  # as tqdm draws it
TAIL = 4096  # bytes of a log that hold its last bar


@dataclass
class Running:
    rule: str
    log: Path | None
    begun: float

    def fraction(self) -> float:
        """What the last progress bar in the job's log says, 0 if there is none."""
        try:
            with open(self.log or os.devnull, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
                found = PERCENT.findall(file.read())
        except OSError:
            return 0.0
        return min(int(found[-1]), 100) / 100 if found else 0.0


@dataclass
class Progress:
    """Follows a run from what happens to its jobs; times are seconds of `time.monotonic`."""

    waiting: Counter = field(default_factory=Counter)  # jobs to come, by rule
    running: dict[int, Running] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # of finished jobs, by rule
    done: int = 0
    added: int = 0  # jobs to come that checkpoints added, of any rule
    main: str | None = None  # the most numerous rule of the plan
    begun: float = field(default_factory=lambda: time.monotonic())

    def plan(self, jobs: Mapping[str, int]) -> None:
        """The jobs of the run are these, by rule."""
        self.waiting = Counter(jobs)
        self.main = max(jobs, key=jobs.__getitem__, default=None)

    def grow(self, total: int) -> None:
        """All jobs of the run, those of a checkpoint among them, are so many now."""
        self.added = max(0, total - self.done - len(self.running) - self.waiting.total())

    def start(self, job: int, rule: str, log: Path | None) -> None:
        """A job begins, one of the plan or one that a checkpoint added."""
        if self.waiting[rule]:
            self.waiting[rule] -= 1
        elif self.added:
            self.added -= 1
        self.running[job] = Running(rule, log, time.monotonic())

    def finish(self, job: int) -> str | None:
        """A job ended well; returns its rule, None if it was not known to run."""
        if (ended := self.running.pop(job, None)) is None:
            return None
        self.seconds[ended.rule].append(time.monotonic() - ended.begun)
        self.done += 1
        return ended.rule

    @property
    def total(self) -> int:
        return self.done + len(self.running) + self.waiting.total() + self.added

    def seconds_left(self) -> float | None:
        """An estimate, None until a job of the most numerous rule has ended or tells how far it is.

        A job to come takes as long as those of its rule took so far, or as all jobs if there were none; as many
        jobs run side by side as did so far.
        """
        now = time.monotonic()
        known = {rule: sum(times) / len(times) for rule, times in self.seconds.items()}
        for job in self.running.values():
            if job.rule not in known and (fraction := job.fraction()) >= 0.05:
                known[job.rule] = (now - job.begun) / fraction
        if self.main not in known:
            return None
        finished = [seconds for times in self.seconds.values() for seconds in times]
        typical = mean(finished or known.values())
        left = sum(count * known.get(rule, typical) for rule, count in self.waiting.items()) + self.added * typical
        rest = [max(0.0, known.get(job.rule, typical) - (now - job.begun)) for job in self.running.values()]
        worked = sum(map(sum, self.seconds.values())) + sum(now - job.begun for job in self.running.values())
        abreast = max(1.0, worked / max(now - self.begun, 1e-9))
        return max((left + sum(rest)) / abreast, *rest, 0.0)

    def line(self) -> str:
        """One line: `12 of 74 jobs done, about 3 min left; running: generate 40 %, measure`."""
        left = self.seconds_left()
        words = f"{self.done} of {self.total} jobs done"
        if left is not None:
            words += f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"
        if self.running:
            parts = []
            for job in self.running.values():
                fraction = job.fraction()
                parts.append(f"{job.rule} {fraction:.0%}".replace("%", " %") if fraction else job.rule)
            words += f"; running: {', '.join(parts)}"
        return words
