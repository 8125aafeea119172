"""How faults are shown."""

from __future__ import annotations

import pytest

from dovetail.ir.diagnostics import WIDEST, Diagnostic, Label, did_you_mean
from dovetail.ir.source import SourceFile, Span


def shown(line: str, col: int, length: int = 3) -> list[str]:
    span = Span(SourceFile("file.yaml", line), 1, col, length)
    return Diagnostic("id", "a sentence", (Label(span, "here"),), "do this").render().splitlines()


def test_a_fault_is_underlined_where_it_stands() -> None:
    assert shown("key: bad", 6) == [
        "error[id]: a sentence",
        " --> file.yaml:1:6",
        "  |",
        "1 | key: bad",
        "  |      ^^^ here",
        "  = help: do this",
    ]


@pytest.mark.parametrize("col", [1, 150, 500, 998])
def test_of_a_long_line_the_part_about_the_fault_is_shown(col: int) -> None:
    line = "x" * (col - 1) + "BAD" + "y" * (1000 - col - 2)
    _, _, _, text, mark, _ = shown(line, col)
    assert len(text) <= WIDEST + 10
    assert text[mark.index("^") : mark.index("^") + 3] == "BAD"


def test_the_nearest_name_is_proposed() -> None:
    assert did_you_mean("modle", ["model", "price"]) == "did you mean `model`?"
    assert did_you_mean("xyz", ["model", "price"]) is None
