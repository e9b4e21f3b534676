"""What a model of a study costs: network evaluations an image, and training after that of the base model."""

from collections.abc import Mapping

from adaptive_neon.families import family_of
from adaptive_neon.families.loading import arguments
from adaptive_neon.merging.grid import parse_point
from adaptive_neon.rivals.plan import AVERAGED, GUIDANCE, TRAINING, Rival
from adaptive_neon.search.settings import parse_settings
from adaptive_neon.studies.plan import Study
from adaptive_neon.studies.price import evaluations


def costs(config: Mapping, architecture: Mapping, kimg: int, role: str | Rival, point: str) -> dict:
    """The price of one model.

    Args:
        architecture: of the network.
        kimg: of self-training, at which the model stands.
        role: the rival, or `base`, `global` or `blockwise` of a model of the study itself.
        point: name of its point.

    Returns:
        `kind`, that of the rival, `base`, or `neon`; `candidates`, among how many it was chosen on the search
        images; `evaluations` of the network an image; `training_kimg` of all trainings after that of the base
        model; and `of_training`, their floating-point operations and those of drawing the synthetic sets, as a
        share of the base model's training, None where that is not known.
    """
    family, network, study = family_of(architecture), arguments(architecture), Study(config)
    rival = role if isinstance(role, Rival) else None
    kind = rival.kind if rival else "base" if role == "base" else "neon"
    step = family.training_flop(network)
    drawing = family.drawing_flop(network, config["sampler"] | parse_settings(point))
    self_trained = kind != TRAINING and any(parse_point(point).values())
    sets = len(study.replicas) if kind == AVERAGED else int(self_trained)
    of_set = config["sampler"] | (rival.sampler if rival else {})
    trained = 1000 * kimg * (1 if kind == TRAINING else sets)
    drawn = sets * config["synthetic"]["images"] * family.drawing_flop(network, of_set)
    return {
        "kind": kind,
        "candidates": len(rival.candidates) if rival else _candidates(study, role),
        "evaluations": evaluations(drawing * (2 if kind == GUIDANCE else 1), step),
        "training_kimg": trained / 1000,
        "of_training": (trained * step + drawn) / (study.trained * step) if study.trained else None,
    }


def _candidates(study: Study, role: str) -> int:
    """How many points of the study's own search could have taken a role."""
    points = {"base": 1, "global": len(study.config["grid"]["weights"]), "blockwise": len(study.search_points)}
    return points[role] * len(study.settings)
