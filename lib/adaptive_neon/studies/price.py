"""What a search has cost, in network evaluations and beside the training of the base model."""

from collections.abc import Iterable, Mapping
from statistics import mean

from adaptive_neon.families import family_of
from adaptive_neon.families.flop import BACKWARD, DESCENT
from adaptive_neon.families.loading import arguments
from adaptive_neon.search.settings import combinations, split


def images_drawn(selections: Mapping[tuple[int, int], Mapping], base: str, images: int, control: int = 0) -> int:
    """How many images the searches of a study have drawn, those of the base model once a replica.

    Args:
        selections: (replica, kimg) → outcome of its search (see `search.rounds.outcome`).
        base: name of the base model, without sampler settings.
        images: of a point in a round.
        control: that the base model draws besides in each round, as a control variate.
    """
    points = {
        (replica, None if split(name)[0] == base else kimg, name)
        for (replica, kimg), selection in selections.items()
        for name in selection["search"]
    }
    later = [selection["later_points"] for selection in selections.values()]
    of_base = sum(split(name)[0] == base for _, _, name in points)
    further = of_base * (control + (images + control) * max(map(len, later))) if control else 0
    return images * (len(points) + sum(map(sum, later))) + further


def images_descended(selections: Iterable[Mapping]) -> tuple[int, int]:
    """How many images searches by gradients have drawn besides, and from how many they went backward."""
    descents = [selection["descent"] for selection in selections if "descent" in selection]
    return tuple(sum(descent[key] for descent in descents) for key in ("checked", "differentiated"))


def evaluations(drawing_flop: float, training_flop: float) -> int:
    """How many network evaluations the drawing is worth, where a training step of an image is three."""
    return round(drawing_flop / (training_flop / BACKWARD))


def price(
    architecture: Mapping,
    sampler: Mapping,
    axes: Mapping,
    images: int,
    trained: float | None,
    differentiated: int = 0,
) -> dict[str, float | None]:
    """What drawing so many images costs.

    A network evaluation is one of the network on one image; where only a part of it is evaluated, as with cached
    keys and values, that part.

    Args:
        sampler: settings.
        axes: setting → values, those that are searched; their combinations draw as many images each.
        trained: images on which the base model was trained; None where it was imported.
        differentiated: further images, drawn with their gradient, each worth four: forward, again, and backward.

    Returns:
        `images`, `evaluations`, and `of_training`, the share of the floating-point operations of that training.
    """
    family, network = family_of(architecture), arguments(architecture)
    drawing = (images + DESCENT * differentiated) * mean(
        family.drawing_flop(network, sampler | settings) for settings in combinations(axes)
    )
    training = family.training_flop(network)
    return {
        "images": images + differentiated,
        "evaluations": evaluations(drawing, training),
        "of_training": drawing / (training * trained) if trained else None,
    }
