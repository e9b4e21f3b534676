"""A report: one page that opens offline, with every figure and table inside it, from a template in Jinja."""

import base64
import csv
from collections.abc import Mapping
from pathlib import Path

import jinja2
import yaml
from markupsafe import Markup, escape

from adaptive_neon.jobs.files import replacing

MIME = {".svg": "image/svg+xml", ".png": "image/png"}


def write_report(
    path: str | Path, template: str | Path, context: Mapping, provenance: Mapping | None = None
) -> None:
    """Render a template to one HTML file, in the folder of the results that it tells of.

    Args:
        template: a Jinja file; beside `context` it can use `results`, the folder; `figure(file, text)` and
            `table(file, text)`, which put a file of the folder into the page, with its path; and of a page that
            says how its results were made, `provenance`, `config` and `config_text`.
        provenance: as `provenance.write_provenance` gives it.
    """
    results = Path(path).parent
    made = {}
    if provenance:
        config = provenance["config"]
        made = {
            "provenance": provenance,
            "config": config,
            "config_text": yaml.safe_dump(config, sort_keys=False),
        }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(template).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def figure(file: str, text: str) -> Markup:
        data = base64.b64encode((results / file).read_bytes()).decode()
        image = Markup('<img alt="{}" src="data:{};base64,{}">').format(text, MIME[Path(file).suffix], data)
        return _captioned(image, text, results / file)

    def table(file: str, text: str) -> Markup:
        with open(results / file, newline="") as stream:
            header, *rows = csv.reader(stream)
        return _captioned(_table(header, rows), text, results / file)

    page = environment.get_template(Path(template).name).render(
        **context, **made, results=str(results), figure=figure, table=table
    )
    with replacing(path) as temporary:
        temporary.write_text(page)


def _table(header: list[str], rows: list[list[str]]) -> Markup:
    lines = [[("th", cell) for cell in header], *([("td", cell) for cell in row] for row in rows)]
    body = Markup("\n").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<{0}>{1}</{0}>").format(*cell) for cell in line))
        for line in lines
    )
    return Markup("<table>{}</table>").format(body)


def _captioned(content: Markup, text: str, path: Path) -> Markup:
    return Markup("<figure>{}<figcaption>{} <code>{}</code></figcaption></figure>").format(
        content, escape(text), path
    )
