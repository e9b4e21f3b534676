"""The arguments of a network, as a configuration or a checkpoint gives them."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from adaptive_neon.errors import InputError
from adaptive_neon.families import DEFAULT, NAMES, settings_of
from adaptive_neon.families.networks.settings import IN_FILES

Network = TypeVar("Network")

# JSON calls 2.0 an integer; a number of channels is none. An infinite noise level is a number, NaN is none.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    ).redefine("number", lambda _, value: type(value) in (int, float) and not math.isnan(value)),
)


def check(path: str | Path, architecture: object) -> None:
    """Check the architecture in the file of a model, before anything of the size that it says is made.

    Its keys are those of the configuration of its family, of the same ranges, and what only files say.

    Raises:
        InputError: the first fault.
    """
    if not isinstance(architecture, dict) or architecture.get("family", DEFAULT) not in NAMES:
        raise InputError(f"{path}: its architecture is none of a family of models; make the file again")
    properties = settings_of(architecture).SCHEMA["architecture"]["properties"] | IN_FILES | {"family": {}}
    schema = {
        "additionalProperties": False,
        "required": ["img_resolution", "img_channels"],
        "properties": properties,
    }
    for fault in _Validator(schema).iter_errors(architecture):
        key = ".".join(["architecture", *map(str, fault.absolute_path)])
        raise InputError(f"{path}: {key}: {fault.message[:200]}; such a network cannot be built")


def complete(architecture: Mapping, *networks: Callable) -> dict:
    """The architecture with the defaults of what it leaves out.

    Args:
        networks: classes whose constructors take the arguments, the innermost last. Keyword arguments that one
            passes on (`**model_kwargs`) are those of the next.

    Raises:
        InputError: an unknown or a missing argument.
    """
    known = {
        name: parameter
        for network in networks
        for name, parameter in inspect.signature(network).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    arguments = {key: parameter.default for key, parameter in known.items()} | dict(architecture)
    for key, value in arguments.items():
        if key not in known:
            raise InputError(f"architecture.{key}: unknown argument of {networks[-1].__name__}; remove it")
        if value is inspect.Parameter.empty:
            raise InputError(f"architecture.{key} is missing; add it")
    return arguments


def construct(network: Callable[..., Network], arguments: Mapping) -> Network:
    """A network from all of its arguments.

    Raises:
        InputError: no network can have them.
    """
    try:
        return network(**arguments)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"architecture: no network can have it ({reason}); correct the arguments") from None


def require(key: str, value: object, allowed: Collection[str]) -> None:
    """Raise an InputError unless the value is an allowed one."""
    if value not in list(allowed):
        raise InputError(f"architecture.{key}: {value!r} is not supported; use {' or '.join(allowed)}")
