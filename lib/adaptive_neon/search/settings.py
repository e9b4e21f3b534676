"""Sampler settings that are searched with the weights, such as guidance: combinations and names.

The name of a point or of a cell goes on with the settings that it is drawn with: `all~1.0@guidance~1.5@steps~8`.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from adaptive_neon.merging.grid import SETTINGS

Setting = float | int | str


def combinations(axes: Mapping[str, Sequence[Setting]]) -> list[dict[str, Setting]]:
    """Every combination of the values of each setting; one without any where nothing but weights is searched."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def settings_name(settings: Mapping[str, Setting]) -> str:
    """What the name of a point or a cell goes on with; nothing where there are no settings."""
    return "".join(f"{SETTINGS}{key}~{value}" for key, value in settings.items())


def settings_text(settings: Mapping[str, Setting]) -> str:
    """Settings as people write them: `guidance 1.5, steps 8`."""
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def split(name: str) -> tuple[str, str]:
    """The name of a point or a cell without its settings, and these."""
    plain, at, settings = name.partition(SETTINGS)
    return plain, at + settings


def parse_settings(name: str) -> dict[str, Setting]:
    """The settings in the name of a point or of a cell."""
    return {key: _value(text) for key, _, text in (part.partition("~") for part in name.split(SETTINGS)[1:])}


def _value(text: str) -> Setting:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
