"""What a configuration asks of the rivals: models, candidates, what they cost. No torch, no files."""

from collections.abc import Mapping
from dataclasses import dataclass

from adaptive_neon.merging.grid import diagonal, parse_point, point_name
from adaptive_neon.search.settings import combinations, settings_name
from adaptive_neon.studies.plan import Study

GUIDANCE, TRAINING, AVERAGED, SYNTHETIC, SAMPLER = "guidance", "training", "averaged", "synthetic", "sampler"


@dataclass(frozen=True)
class Rival:
    """A further model of a study.

    Attributes:
        kind: `guidance`, `training`, `averaged`, `synthetic` or `sampler` (see config.yaml).
        candidates: names of the points among which it is chosen, with their sampler settings. The weights are
            those of the merge, or w of the guidance; of the model that was trained on real images they are 0.
        sampler: of kind synthetic, the settings of its synthetic set.
        start: of kind training, `base` or `finetune`: where it starts and with whose settings it goes on.
    """

    name: str
    kind: str
    candidates: tuple[str, ...]
    sampler: Mapping
    start: str

    @property
    def self_trained(self) -> bool:
        """Whether it is made of a θ_s, and so differs between snapshots and replicas."""
        return self.kind not in (TRAINING, SAMPLER) or any(any(parse_point(n).values()) for n in self.candidates)


def read_rivals(config: Mapping) -> dict[str, Rival]:
    """Name → rival, of a checked configuration."""
    study = Study(config)
    return {section["name"]: _rival(section, study) for section in config["rivals"]}


def _rival(section: Mapping, study: Study) -> Rival:
    kind = section["kind"]
    without = kind in (TRAINING, SAMPLER)  # unless weights are given
    weights = section.get("weights", [0.0] if without else study.config["grid"]["weights"])
    axes = study.config["grid"].get("sampler", {}) | section.get("searched", {})
    candidates = [
        point_name(point) + settings_name(settings)
        for point in diagonal(study.blocks, weights)
        for settings in combinations(axes)
    ]
    return Rival(section["name"], kind, tuple(candidates), section.get("sampler", {}), section.get("as", "base"))
