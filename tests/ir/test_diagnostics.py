"""How faults are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.ir.diagnostics import WIDEST, Diagnostic, Diagnostics, InputError, Label, did_you_mean
from dovetail.ir.read.graph import read_graph
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


@pytest.mark.parametrize(
    ("line", "word", "told", "columns"),
    [
        ("思考: {k: bad}", "bad", "思考: {k: bad}", 4 + 6),
        ("k: 思考", "思考", "k: 思考", 3),
        ("e\u0301: bad", "bad", "e\u0301: bad", 3),
        ("\x1b[31m: bad", "bad", "\\x1b[31m: bad", 10),
        ("k: th\u200bink", "th\u200bink", "k: th\\u200bink", 3),
    ],
)
def test_marks_stand_under_what_a_terminal_shows(line: str, word: str, told: str, columns: int) -> None:
    """Wide characters take two columns, accents none, and what would not be shown is escaped."""
    _, _, _, text, mark, _ = shown(line, line.index(word) + 1, len(word))
    assert text == f"1 | {told}"
    assert mark.index("^") == len("  | ") + columns
    assert mark.count("^") == {"思考": 4, "th\u200bink": 11}.get(word, 3)


def test_words_of_a_fault_cannot_steer_a_terminal() -> None:
    rendered = Diagnostic("id", "no `\x1b[2J`", help="the names are a\nb").render()
    assert rendered.splitlines() == ["error[id]: no `\\x1b[2J`", " = help: the names are a\\nb"]


def test_the_nearest_name_is_proposed() -> None:
    assert did_you_mean("modle", ["model", "price"]) == "did you mean `model`?"
    assert did_you_mean("xyz", ["model", "price"]) is None


def test_many_faults_of_one_kind_are_one_with_the_first_places(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    names = [f"a_{k}" for k in range(9)]
    path.write_text("version: 1\nnodes:\n" + "".join(f"  {name}: {{kind: router, what: 1}}\n" for name in names))
    with pytest.raises(InputError) as raised:
        read_graph(path)
    assert len([d for d in raised.value.diagnostics if d.id == "name"]) == 9
    (told,) = (each for each in str(raised.value).split("\n\n") if each.startswith("error[name]"))
    assert told.splitlines()[0] == "error[name]: `a_0` is no name for an entry of `nodes` (and 8 more like this)"
    assert all(f"graph.yaml:{line}:3" in told for line in (3, 4, 5))
    assert "graph.yaml:6" not in told


@pytest.mark.parametrize("number", [3, 4])
def test_faults_that_differ_stay_apart(number: int) -> None:
    """In their kind, in what helps, or in what they are of where no place says it."""
    faults = Diagnostics()
    span = Span(SourceFile("file.yaml", "key: bad"), 1, 1, 3)
    for k in range(number):
        faults.error("name", f"`{k}` is no name", span)
        faults.error("other", f"`{k}` is no name", span)
        faults.error("name", f"`{k}` is no name", span, help=f"{k}")
        faults.error("name", f"`{k}` is no operator")
    with pytest.raises(InputError) as raised:
        faults.raise_if_errors()
    assert len(str(raised.value).split("\n\n")) == (12 if number == 3 else 2 + 8)
