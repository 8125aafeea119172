"""The pages under docs/math and the docstrings name the same equations."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "costmodel").rglob("*.py"))
Equation = tuple[str, str]
"""number, and `module.function`"""


def pages_of(path: Path) -> set[str]:
    """The pages that the docstring of a module says it follows."""
    return set(re.findall(r"docs/math/(\w+)\.md", ast.get_docstring(ast.parse(path.read_text())) or ""))


PAGES = sorted({page for path in MODULES for page in pages_of(path)})


def functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    """(qualified name, docstring) of every function, those of classes too."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}.{node.name}", ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{prefix}.{node.name}")


def in_docstrings(page: str) -> set[Equation]:
    """Equations that docstrings name, in the modules that say they follow `page`."""
    found: set[Equation] = set()
    for path in MODULES:
        if page in pages_of(path):
            for name, docstring in functions(ast.parse(path.read_text()).body, path.stem):
                found |= {(number, name) for number in re.findall(r"Equation \((\d+)\)", docstring)}
    return found


def text(page: str) -> str:
    return (ROOT / "docs" / "math" / f"{page}.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_the_table_of_a_page_is_what_the_docstrings_say(page: str) -> None:
    table = set(re.findall(r"^\| \((\d+)\) \| `([\w.]+)` \|$", text(page), re.MULTILINE))
    assert table
    assert table == in_docstrings(page)


@pytest.mark.parametrize("page", PAGES)
def test_every_equation_of_the_table_stands_in_the_page_once(page: str) -> None:
    written = [int(n) for n in re.findall(r"^    \((\d+)\) ", text(page), re.MULTILINE)]
    assert sorted(written) == list(range(1, len(written) + 1))
    assert set(written) == {int(number) for number, _ in in_docstrings(page)}


def test_no_module_names_an_equation_without_its_page() -> None:
    for path in MODULES:
        if re.search(r"Equation \(\d+\)", path.read_text()):
            assert pages_of(path), path.name
