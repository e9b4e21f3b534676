"""The packages of the library build on each other one way, as docs/architecture.md draws them."""

import re
from graphlib import TopologicalSorter

import pytest


@pytest.fixture
def imports(root):
    """Package → the packages that its modules import."""
    library = root / "lib/adaptive_neon"
    packages = {path.name for path in library.iterdir() if (path / "__init__.py").exists()}
    found = {package: set() for package in packages}
    for package in packages:
        for module in (library / package).rglob("*.py"):
            named = re.findall(r"^\s*(?:from|import) adaptive_neon\.(\w+)", module.read_text(), re.MULTILINE)
            found[package] |= packages & set(named) - {package}
    return found


def test_arrows_point_one_way(imports):
    order = list(TopologicalSorter(imports).static_order())  # a cycle raises
    assert order.index("merging") < order.index("search") < order.index("toy") < order.index("commands")
    assert order.index("families") < order.index("studies")
    assert imports["collapse"] <= {"merging", "statistics", "studies"}
    assert imports["rivals"] <= {"families", "merging", "search", "studies"}
    assert imports["loops"] <= {"evaluation", "statistics", "studies"}


def test_arithmetic_builds_on_nothing(imports):
    assert imports["merging"] == imports["statistics"] == imports["jobs"] == set()


def test_the_library_knows_no_workflow(root):
    for module in (root / "lib").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) (snakemake|scripts)\b", module.read_text(), re.MULTILINE), module


def test_every_package_says_what_belongs_there(root):
    for path in (root / "lib/adaptive_neon").rglob("__init__.py"):
        assert path.read_text().startswith('"""'), path
