"""What a configuration asks of the rivals: models, candidates, what they cost. No torch, no files."""

from collections.abc import Mapping
from dataclasses import dataclass

from adaptive_neon.merging.grid import diagonal, parse_point, point_name
from adaptive_neon.search.settings import combinations, settings_name
from adaptive_neon.studies.plan import Study

GUIDANCE, TRAINING, EMA, AVERAGED = "guidance", "training", "ema", "averaged"
SYNTHETIC, SAMPLER = "synthetic", "sampler"


@dataclass(frozen=True)
class Rival:
    """A further model of a study.

    Attributes:
        kind: `guidance`, `training`, `ema`, `averaged`, `synthetic` or `sampler` (see config.yaml).
        candidates: names of the points among which it is chosen, with their sampler settings. The weights are
            those of the merge, or w of the guidance; of kinds training and ema they are 0.
        sampler: of kind synthetic, the settings of its synthetic set.
        start: of kind training, `base` or `finetune`: where it starts and with whose settings it goes on.
        length: of kind ema, of the moving average (see `training.averages`).
    """

    name: str
    kind: str
    candidates: tuple[str, ...]
    sampler: Mapping
    start: str
    length: float | None

    @property
    def self_trained(self) -> bool:
        """Whether it is made of a θ_s, and so differs between snapshots and replicas."""
        merged = any(any(parse_point(name).values()) for name in self.candidates)
        return merged or self.kind not in (TRAINING, EMA, SAMPLER)

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same at all snapshots."""
        return self.kind != TRAINING and not self.self_trained


def read_rivals(config: Mapping) -> dict[str, Rival]:
    """Name → rival, of a checked configuration."""
    study = Study(config)
    return {section["name"]: _rival(section, study) for section in config["rivals"]}


def _rival(section: Mapping, study: Study) -> Rival:
    kind = section["kind"]
    without = kind in (TRAINING, EMA, SAMPLER)  # unless weights are given
    weights = section.get("weights", [0.0] if without else study.config["grid"]["weights"])
    axes = study.config["grid"].get("sampler", {}) | section.get("searched", {})
    candidates = [
        point_name(point) + settings_name(settings)
        for point in diagonal(study.blocks, weights)
        for settings in combinations(axes)
    ]
    of_kind = section.get("sampler", {}), section.get("as", "base"), section.get("length")
    return Rival(section["name"], kind, tuple(candidates), *of_kind)
