"""What the rivals of a study will ask for beside it, in the form of `adaptive_neon.studies.estimate`."""

import re
from collections.abc import Callable, Mapping
from statistics import mean

from adaptive_neon.rivals.plan import GUIDANCE, SYNTHETIC, TRAINING, Rival, read_rivals
from adaptive_neon.search.settings import parse_settings
from adaptive_neon.studies.estimate import FEATURES, Rule
from adaptive_neon.studies.plan import Study

JOB = re.compile(
    r"(replica-\d+/)?rivals/(?P<rival>[^/]+)/"
    r"(?P<job>synthetic|(finetune|training)-(?P<kimg>\d+)|(?P<stage>search|heldout)-\d+/.+-(?P<cell>generate|measure))"
)


def rules_of(config: Mapping, training_flop: float, drawing_flop: Callable[[Mapping], float]) -> list[Rule]:
    """The rules that take time, with all that they have to do; none without rivals.

    Args:
        training_flop: of a training step per image.
        drawing_flop: sampler settings → of drawing an image.
    """
    study, run = Study(config), config["run"]
    replicas, snapshots, last = len(study.replicas), len(study.snapshots), study.snapshots[-1] * 1000
    gpu, training, job = run["device"] != "cpu", run["training_threads"], run["job_threads"]
    features = FEATURES.get(config["features"]["extractor"], 0.0)
    rules = []
    for rival in read_rivals(config).values():
        if rival.kind == SYNTHETIC:
            images = replicas * config["synthetic"]["images"]
            flop = drawing_flop(config["sampler"] | rival.sampler)
            rules.append(Rule(_name(rival, "synthetic"), replicas, images, flop, job, gpu))
            work = replicas * last
            rules.append(Rule(_name(rival, "finetune"), replicas * snapshots, work, training_flop, training, gpu))
        if rival.kind == TRAINING:
            rules.append(Rule(_name(rival, "training"), snapshots, last, training_flop, training, gpu))
        searched = len(rival.candidates) if len(rival.candidates) > 1 else 0
        times = replicas * (1 if rival.is_fixed else snapshots)
        work = times * (searched * config["search"]["images"] + config["heldout"]["images"])
        flop = mean(drawing_flop(config["sampler"] | parse_settings(name)) for name in rival.candidates)
        flop *= 2 if rival.kind == GUIDANCE else 1
        rules.append(Rule(_name(rival, "generate"), times * (searched + 1), work, flop, job, gpu))
        rules.append(
            Rule(_name(rival, "measure"), times * (searched + 1), work, features, job, gpu and features > 0)
        )
    return rules


def work_of(config: Mapping, name: str) -> tuple[str, float] | None:
    """The rule and the images of a job by the name of its benchmark file; None for what is not estimated so."""
    match = JOB.fullmatch(name)
    rival = match and read_rivals(config).get(match["rival"])
    if not rival:
        return None
    if match["cell"]:
        return _name(rival, match["cell"]), config[match["stage"]]["images"]
    if match["kimg"]:
        kimg = int(match["kimg"])
        return _name(rival, match["job"].partition("-")[0]), (kimg - Study(config).previous_snapshot(kimg)) * 1000
    return _name(rival, "synthetic"), config["synthetic"]["images"]


def _name(rival: Rival, job: str) -> str:
    return f"{rival.name}: {job}"
