"""The arguments of a network, as a configuration or a checkpoint gives them."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from adaptive_neon.errors import InputError

Network = TypeVar("Network")


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
