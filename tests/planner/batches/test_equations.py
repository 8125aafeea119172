"""The page on batches and the docstrings name the same equations."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "math" / "batches.md").read_text(encoding="utf-8")
ROWS = re.findall(r"\| \((\d+)\) \| `(\w+)\.([\w.]+)` \|", PAGE)


@pytest.mark.parametrize(("number", "module", "function"), ROWS)
def test_functions_name_their_equations(number: str, module: str, function: str) -> None:
    tree = ast.parse((ROOT / "planner" / "batches" / f"{module}.py").read_text(encoding="utf-8"))
    name = function.split(".")[-1]
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name]
    texts = [re.sub(r"Equations?", "", ast.get_docstring(node) or "") for node in found]
    assert any(f"({number})" in text for text in texts)


def test_every_numbered_equation_is_in_the_table() -> None:
    formulas = set(re.findall(r"^ {4}.*\((\d+)\)$", PAGE, re.MULTILINE))
    assert formulas == {number for number, _, _ in ROWS}
