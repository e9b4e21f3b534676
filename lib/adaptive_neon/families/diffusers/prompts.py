"""Prompts as classes: line i of a text file, counted from 0 without the empty ones, is class i."""

from pathlib import Path

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.foreign import reading

LARGEST = 2**22  # bytes of the file: every model of a study carries its prompts
MOST = 100_000


def read_prompts(path: str | Path) -> list[str]:
    """The prompts in a text file.

    Raises:
        InputError: no such file, or not UTF-8, or none or too many in it.
    """
    with reading(path, "a text file of prompts", "write one prompt a line, in UTF-8"):
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(f"{path}: more than {LARGEST:,} bytes of prompts; use fewer")
        text = content.decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("it holds zero bytes")
    prompts = [line.strip() for line in text.split("\n") if line.strip()]
    if not 0 < len(prompts) <= MOST:
        raise InputError(f"{path}: {len(prompts):,} prompts; give 1 to {MOST:,}, one a line")
    return prompts
