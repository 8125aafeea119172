"""docs/math/scratchpad.md and the code name the same equations: from (20) on by a table, which both must keep to."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = ROOT / "planner" / "scratchpad"
PAGE = (ROOT / "docs" / "math" / "scratchpad.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ((?:\(\d+\)(?:, )?)+) \| (.*) \|$", re.MULTILINE)
PLACES = [
    (int(number), file, function)
    for numbers, places in ROW.findall(PAGE)
    for number in re.findall(r"\d+", numbers)
    for file, function in re.findall(r"`([\w/]+\.py)` `(\w+)`", places)
]
FIRST = 20
"""those before are COSMA's, one function for each"""


def docstrings(file: Path) -> dict[str, str]:
    """By name of each function, its docstring and those around it: of its class and its module."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found: dict[str, str] = {}

    def visit(node: ast.AST, around: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                text = around + (ast.get_docstring(child) or "")
                found[child.name] = found.get(child.name, "") + text
                visit(child, text)

    visit(tree, ast.get_docstring(tree) or "")
    return found


def numbers_in(text: str) -> set[int]:
    """Equation numbers in a text, those between two joined by `to` included."""
    found = {int(n) for n in re.findall(r"\((\d\d)\)", text)}
    for low, high in re.findall(r"\((\d\d)\) to \((\d\d)\)", text):
        found |= set(range(int(low), int(high) + 1))
    return found


@pytest.mark.parametrize(("number", "file", "function"), PLACES, ids=[f"{n}-{f}" for n, _, f in PLACES])
def test_each_row_names_a_function_whose_docstrings_name_the_equation(number: int, file: str, function: str) -> None:
    assert number in numbers_in(docstrings(CODE / file)[function])


def test_every_equation_stands_on_the_page_once_and_in_the_table() -> None:
    written = [int(n) for n in re.findall(r"^    \((\d+)\) ", PAGE, re.MULTILINE) if int(n) >= FIRST]
    assert sorted(written) == sorted(set(written))
    assert set(written) == {number for number, _, _ in PLACES}


def test_every_equation_in_the_code_stands_on_the_page() -> None:
    written = {int(n) for n in re.findall(r"^    \((\d+)\) ", PAGE, re.MULTILINE)}
    for folder in ("search", "addresses", "tiling", "hierarchy"):
        for file in sorted((CODE / folder).glob("*.py")):
            assert numbers_in(" ".join(docstrings(file).values())) <= written, file
