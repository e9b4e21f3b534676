"""What a study of a loop will ask for, in the form of `adaptive_neon.studies.estimate`."""

import re
from collections.abc import Mapping

from adaptive_neon.loops.plan import Loop
from adaptive_neon.studies.estimate import FEATURES, Rule

JOB = re.compile(r"replica-\d+/loop-(?P<regime>[^/]+)/(?P<rule>loop_\w+)-\d+")


def rules_of(config: Mapping, training_flop: float, drawing_flop: float) -> list[Rule]:
    """The rules of a loop that take time, with all that they have to do.

    Args:
        training_flop: of a training step per image.
        drawing_flop: of drawing an image.
    """
    loop, run, replicas = Loop(config), config["run"], config["replicas"]
    regimes, generations = loop.regimes.values(), len(loop.generations)
    gpu, training, job = run["device"] != "cpu", run["training_threads"], run["job_threads"]
    features = FEATURES.get(config["features"]["extractor"], 0.0)
    models = replicas * len(regimes) * generations
    own = replicas * generations * sum(regime.corrects_model for regime in regimes)
    drawn = replicas * (1 + len(regimes) * (generations - 1))
    searched = [len(regime.neon) for regime in regimes if len(regime.neon) > 1]
    candidates = replicas * generations * sum(searched) * config["search"]["images"]
    searches = replicas * generations * len(searched)
    kimg = replicas * generations * sum(loop.training(regime.start)["kimg"] for regime in regimes)
    base = config["base"]["training"]
    heldout = config["heldout"]["images"]
    rules = [
        Rule("base", 1, round(base["kimg"] * 1000) if base else 0, training_flop, training, gpu),
        Rule("generate", replicas, replicas * heldout, drawing_flop, job, gpu),
        Rule("measure", replicas, replicas * heldout, features, job, gpu and features > 0),
        Rule("loop_images", drawn, drawn * loop.images, drawing_flop, job, gpu),
        Rule("loop_train", models, round(kimg * 1000), training_flop, training, gpu),
        Rule("loop_own_images", own, own * loop.images, drawing_flop, job, gpu),
        Rule("loop_self_train", own, round(own * config["loop"]["kimg"] * 1000), training_flop, training, gpu),
        Rule("loop_search_images", searches, candidates, drawing_flop, job, gpu),
        Rule("loop_search", searches, candidates, features, job, gpu and features > 0),
        Rule("loop_heldout", models, models * heldout, drawing_flop, job, gpu),
        Rule("loop_measure", models, models * heldout, features, job, gpu and features > 0),
    ]
    return [rule for rule in rules if rule.jobs]


def work_of(config: Mapping, name: str) -> tuple[str, float] | None:
    """The rule and the images of a job by the name of its benchmark file; None for what is not estimated so."""
    if not (match := JOB.fullmatch(name)):
        return None
    loop, rule = Loop(config), match["rule"]
    if rule in ("loop_images", "loop_own_images"):
        return rule, loop.images
    if rule in ("loop_heldout", "loop_measure"):
        return rule, config["heldout"]["images"]
    regime = loop.regimes.get(match["regime"])
    if rule in ("loop_train", "loop_self_train") and regime:
        return rule, loop.training(regime.start if rule == "loop_train" else "previous")["kimg"] * 1000
    if rule in ("loop_search_images", "loop_search") and regime:
        return rule, len(regime.neon) * config["search"]["images"]
    return None
