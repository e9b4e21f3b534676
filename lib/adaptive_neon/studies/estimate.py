"""What a study will ask for: jobs and hours of each rule, before it runs."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import read_checkpoint
from adaptive_neon.families.flop import DESCENT
from adaptive_neon.jobs.times import job_seconds
from adaptive_neon.merging.grid import cell_name, cells
from adaptive_neon.search.gradient import CHECKS
from adaptive_neon.search.settings import split
from adaptive_neon.studies.plan import BASE_KIMG, Study

START_UP = 10.0  # s of a job before it computes
FEATURES = {"inception": 1.14e10, "inception-clean": 1.14e10}  # FLOP an image (Inception-v3: 5.7 G multiply-adds)

JOB = re.compile(
    r"replica-\d+/(?P<stage>grid|round-\d+|heldout)-(?P<kimg>\d+)/(?P<cell>.+)-(?P<rule>generate|shard|measure|features)(-\d+)?"
)


@dataclass(frozen=True)
class Rule:
    """The jobs of a rule in a study.

    Attributes:
        work: images that are trained on, drawn or measured.
        flop: floating-point operations of each of them.
        cores: of each job.
        gpu: whether a job takes one, where there are any.
    """

    name: str
    jobs: int
    work: int
    flop: float
    cores: int
    gpu: bool


@dataclass(frozen=True)
class Estimate:
    """A rule with the rate of one of its jobs, images per second, and the hours of all of them."""

    rule: Rule
    rate: float | None
    measured: bool
    hours: float


def architecture_of(config: Mapping, results: Path) -> Mapping:
    """The architecture of the configuration, of the imported model, or of a published checkpoint of its name."""
    base = config["base"]
    if base["training"]:
        return base["architecture"]
    if (model := results / "base/model.safetensors").exists():
        return read_checkpoint(model).architecture
    known = base["architecture"] or {}
    return known | settings_of(known).published_architecture(str(base["checkpoint"]))


def rules_of(
    config: Mapping, training_flop: float, drawing_flop: float, searching_flop: float | None = None
) -> list[Rule]:
    """The rules of a study that take time, with all that they have to do.

    Args:
        training_flop: of a training step per image.
        drawing_flop: of drawing an image of the synthetic set.
        searching_flop: of the search, on the average over its sampler settings; None: the same.
    """
    searching_flop = drawing_flop if searching_flop is None else searching_flop
    study, run = Study(config), config["run"]
    replicas, snapshots = len(study.replicas), len(study.snapshots)
    base_cell = cell_name(study.base_point)
    others = {name: points for name, points in study.cells().items() if name != base_cell}
    per_cell = replicas * len(study.settings)
    first = per_cell * (snapshots * len(others) + 1)
    points = per_cell * (snapshots * sum(map(len, others.values())) + 1)
    winners = replicas * (3 * snapshots + 1)  # at most: collapsed, best single, best per block; and the base model
    later = (
        replicas * snapshots * (len(study.rounds) - 1) * len(study.search_points) * len(study.settings)
    )  # at most
    # As a control variate the base model has a cell in each round, with more images than the others.
    of_base = per_cell if study.control else 0
    controls = of_base * len(study.rounds)
    searched, control = (study.seeds("search", 0, control=further)[1] for further in (False, True))
    measured = (points + later) * searched + winners * config["heldout"]["images"]
    drawn = measured - of_base * searched + controls * control
    jobs = {("search", False): first - of_base + later, ("search", True): controls, ("heldout", False): winners}
    shards = sum(
        number * len(study.shards(images, 0, run["shards"], control=further))
        for (images, further), number in jobs.items()
        if run["shards"] > 1
    )
    gpu, training, job = run["device"] != "cpu", run["training_threads"], run["job_threads"]
    features = FEATURES.get(config["features"]["extractor"], 0.0)

    def trained(settings):
        return round(settings["kimg"] * 1000) if settings else 0

    tuned = replicas * study.snapshots[-1] * 1000
    synthetic = replicas * config["synthetic"]["images"]
    further = []
    if study.method == "gradient":
        checked, stepped = (CHECKS + 1) * config["search"]["images"], study.step_seeds(0)[1]
        flop = searching_flop * (checked + DESCENT * stepped) / (checked + stepped)
        runs = replicas * snapshots
        further = [Rule("gradient", runs, runs * (checked + stepped), flop, training, gpu)]
    return [
        Rule("base", 1, trained(config["base"]["training"]), training_flop, training, gpu),
        Rule("synthetic", replicas, synthetic, drawing_flop, job, gpu),
        Rule("finetune", replicas * snapshots, tuned, training_flop, training, gpu),
        *([Rule("shard", shards, drawn, searching_flop, job, gpu)] if shards else []),
        Rule("generate", sum(jobs.values()), 0 if shards else drawn, searching_flop, job, gpu and not shards),
        *further,
        *(
            [Rule("features", controls, controls * control, features, job, gpu and features > 0)]
            if controls
            else []
        ),
        Rule("measure", first + later + winners, measured, features, job, gpu and features > 0),
    ]


def measured_rates(
    config: Mapping, results: Path, work_of: Callable[[Mapping, str], tuple[str, float] | None] | None = None
) -> dict[str, float]:
    """Rule → images per second of its jobs, from the benchmark files of a study with this configuration.

    Args:
        work_of: (configuration, name of a benchmark file) → rule and images of a job that only other studies have.
    """
    study = Study(config)
    points = {cell: len(points) for cell, points in (cells(study.points) | study.cells()).items()}
    images, seconds = defaultdict(float), defaultdict(float)
    for path in (results / "benchmarks").rglob("*.tsv"):
        name = path.relative_to(results / "benchmarks").with_suffix("").as_posix()
        if found := _work_of(config, study, points, name) or (work_of and work_of(config, name)):
            rule, work = found
            seconds[rule] += job_seconds(results, path)
            images[rule] += work
    return {rule: images[rule] / seconds[rule] for rule in images if images[rule] and seconds[rule]}


def _work_of(config: Mapping, study: Study, points: Mapping[str, int], name: str) -> tuple[str, float] | None:
    """The rule and the images of a job by the name of its benchmark file; None for what is not estimated so.

    Args:
        points: cell of the first round of the search → how many points it has.
    """
    if name == "base":
        return ("base", config["base"]["training"]["kimg"] * 1000) if config["base"]["training"] else None
    if match := re.fullmatch(r"replica-\d+/(synthetic|gradient-\d+|finetune-(\d+))", name):
        if match[1] == "synthetic":
            return "synthetic", config["synthetic"]["images"]
        if not match[2]:
            return "gradient", (CHECKS + 1) * config["search"]["images"] + study.step_seeds(0)[1]
        kimg = int(match[2])
        return "finetune", (kimg - study.previous_snapshot(kimg)) * 1000
    if not (match := JOB.fullmatch(name)):
        return None
    images = "heldout" if match["stage"] == "heldout" else "search"
    drawn = points.get(split(match["cell"])[0], 0) if match["stage"] == "grid" else 1
    control = images == "search" and int(match["kimg"]) == BASE_KIMG and match["rule"] != "measure"
    work = drawn * study.seeds(images, 0, control=control)[1]
    shards = len(study.shards(images, 0, config["run"]["shards"], control=control))
    if match["rule"] == "generate" and shards > 1:
        return None
    return match["rule"], work / (shards if match["rule"] == "shard" else 1)


def estimates(rules: list[Rule], rates: Mapping[str, float], flops: float) -> list[Estimate]:
    """The hours of each rule, at measured rates where there are some.

    Args:
        rates: rule → images per second of one job, its start-up counted in.
        flops: what a job sustains elsewhere, FLOP per second.
    """
    found = []
    for rule in rules:
        measured = rule.name in rates
        rate = rates[rule.name] if measured else flops / rule.flop if rule.flop and rule.work else None
        seconds = (rule.work / rate if rate else 0.0) + (0.0 if measured else rule.jobs * START_UP)
        found.append(Estimate(rule, rate, measured, seconds / 3600))
    return found


def estimate_lines(found: list[Estimate], device: str) -> list[str]:
    """A table as text: one line per rule and one for all."""
    table = [("rule", "jobs", "images", "images/s", "GPU-hours", "core-hours")]
    gpu_hours = 0.0
    for estimate in found:
        rule = estimate.rule
        on_gpu = rule.gpu and device != "cpu"
        gpu_hours += estimate.hours * on_gpu
        rate = f"{estimate.rate:.3g} ({'measured' if estimate.measured else device})" if estimate.rate else "-"
        images = f"{rule.work:,}" if rule.work else "-"
        hours = f"{estimate.hours:.2f}" if on_gpu else "-"
        table.append((rule.name, str(rule.jobs), images, rate, hours, f"{estimate.hours * rule.cores:.2f}"))
    jobs = sum(estimate.rule.jobs for estimate in found)
    core_hours = sum(estimate.hours * estimate.rule.cores for estimate in found)
    table.append(("all", str(jobs), "", "", f"{gpu_hours:.2f}" if gpu_hours else "-", f"{core_hours:.2f}"))
    width = max(10, *(len(row[0]) for row in table))
    return ["{:{}} {:>6} {:>12} {:>18} {:>10} {:>11}".format(row[0], width, *row[1:]) for row in table]
