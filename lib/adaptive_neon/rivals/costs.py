"""What a model of a study costs: network evaluations an image, and training after that of the base model."""

from collections.abc import Mapping

from adaptive_neon.families import family_of
from adaptive_neon.families.loading import arguments
from adaptive_neon.merging.grid import parse_point
from adaptive_neon.rivals.plan import AVERAGED, GUIDANCE, SYNTHETIC, TRAINING, Rival
from adaptive_neon.search.settings import parse_settings
from adaptive_neon.studies.plan import Study
from adaptive_neon.studies.price import evaluations


def costs(config: Mapping, architecture: Mapping, kimg: int, point: str, rival: Rival | None = None) -> dict:
    """The price of one model; a search is counted apart (see `studies.price`).

    Args:
        architecture: of the network.
        kimg: of self-training, at which the model stands.
        point: its name.
        rival: None of a model of the study itself.

    Returns:
        `kind`, `neon` of a merged model and `base` of θ_r; `evaluations` of the network an image; `training_kimg`
        of all trainings after that of the base model; and `of_training`, their floating-point operations and
        those of drawing the synthetic sets, as a share of the base model's training; None where it is not known.
    """
    family, network, study = family_of(architecture), arguments(architecture), Study(config)
    step = family.training_flop(network)
    drawing = family.drawing_flop(network, config["sampler"] | parse_settings(point))
    kind = rival.kind if rival else "neon" if any(parse_point(point).values()) else "base"
    sets = _synthetic_sets(kind, point, study)
    trained = 1000 * kimg * (1 if kind == TRAINING else sets)
    of_set = config["sampler"] | (rival.sampler if kind == SYNTHETIC else {})
    drawn = sets * config["synthetic"]["images"] * family.drawing_flop(network, of_set)
    return {
        "kind": kind,
        "evaluations": evaluations(drawing * (2 if kind == GUIDANCE else 1), step),
        "training_kimg": trained / 1000,
        "of_training": (trained * step + drawn) / (study.trained * step) if study.trained else None,
    }


def _synthetic_sets(kind: str, point: str, study: Study) -> int:
    """How many synthetic sets, each with a self-training, go into a model."""
    if kind == AVERAGED:
        return len(study.replicas)
    return int(kind != TRAINING and any(parse_point(point).values()))
