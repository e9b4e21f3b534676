"""Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598) in configurations; scale 1 is none."""

from collections.abc import Iterator, Mapping

SCALE = {"type": "number", "minimum": 0, "maximum": 100}


def guidance_contradictions(config: Mapping, label_dropout: float) -> Iterator[tuple[str, str]]:
    """Guidance of a model without classes, or of one that does not learn images without a class.

    Args:
        label_dropout: of a training whose settings are silent.
    """
    base, scale = config["base"], config["sampler"].get("guidance", 1)
    if scale == 1:
        return
    if (base["architecture"] or {}).get("label_dim") == 0:
        yield "sampler.guidance", f"{scale}, but a model without classes has none; set it to 1"
    elif base["training"] and not base["training"].get("label_dropout", label_dropout):
        yield (
            "sampler.guidance",
            f"{scale} needs base.training.label_dropout above 0, to learn images without a class",
        )
