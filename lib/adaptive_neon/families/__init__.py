"""Families of generative models: all that a study must know of a kind of model, a folder each.

`protocol` says what that is. A folder holds the network, its published files, the sampler, the loss, the block
presets and the schema of its settings; `networks` holds the networks that several families share. How a study uses
a model (training loop, search, metrics) belongs elsewhere, and nothing outside names a family except as a default.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adaptive_neon.errors import InputError

if TYPE_CHECKING:
    from adaptive_neon.families.protocol import Family, Settings

NAMES = ("edm", "flow", "var", "xar", "imm", "diffusers")  # a folder each
DEFAULT = "edm"  # of an architecture that names none, such as that of a file from before there were others


def name_of(architecture: Mapping | None) -> str:
    """The family of an architecture, as in a configuration or in a checkpoint's metadata.

    Raises:
        InputError: there is no such family.
    """
    name = (architecture or {}).get("family", DEFAULT)
    if name not in NAMES:
        raise InputError(f"architecture.family: {name!r} is not known; use {' or '.join(NAMES)}")
    return name


def settings_of(architecture: Mapping | None) -> "Settings":
    """What can be known of the family of an architecture without torch."""
    return importlib.import_module(f"{__name__}.{name_of(architecture)}.settings")


def family_of(architecture: Mapping | None) -> "Family":
    """The family of an architecture."""
    return importlib.import_module(f"{__name__}.{name_of(architecture)}.family")
