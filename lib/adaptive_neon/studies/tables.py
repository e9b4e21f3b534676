"""Tables as CSV and as Markdown, and numbers as people write them."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adaptive_neon.jobs.files import replacing
from adaptive_neon.studies.wording import markdown_table


def write_table(path: str | Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table in the format of the path's suffix, .csv or .md."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        if Path(path).suffix == ".csv":
            csv.writer(file).writerows([header, *rows])
        else:
            file.write(markdown_table(header, rows))


def number(value: float | None) -> str:
    """Three significant digits; with an exponent only where many zeros would come first."""
    if value is None:
        return "diverged"
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}".replace("-", "−")
    text = np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")
    return text.replace("-", "−")
