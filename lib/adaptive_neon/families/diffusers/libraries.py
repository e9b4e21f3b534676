"""diffusers and transformers, the optional extra."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.foreign import reason


@cache
def library() -> ModuleType:
    """diffusers.

    Raises:
        InputError: it is not installed.
    """
    with _importing("diffusers"):
        import diffusers

        diffusers.utils.logging.set_verbosity_error()
        diffusers.UNet2DModel  # noqa: B018 (what it builds on is imported only now)
    return diffusers


@cache
def text_library() -> ModuleType:
    """transformers.

    Raises:
        InputError: it is not installed.
    """
    with _importing("transformers"):
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.CLIPTextModel, transformers.CLIPTokenizer  # noqa: B018
        transformers.T5EncoderModel, transformers.T5TokenizerFast  # noqa: B018
    return transformers


@contextmanager
def _importing(name: str) -> Iterator[None]:
    """Import a library in the block; where torchvision does not load, as beside a torch for the CPU alone, the
    library does without it."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        sys.modules["torchvision"] = None
    try:
        yield
    except (ImportError, RuntimeError, AttributeError) as error:
        raise InputError(
            f"base.architecture.family: {name} is not installed, or not completely ({reason(error)}); "
            ".venv/bin/pip install -r requirements-diffusers.txt"
        ) from None
    finally:
        if sys.modules.get("torchvision", "") is None:
            del sys.modules["torchvision"]
