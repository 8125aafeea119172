"""docs/nn.md lists every op of the dialect, by the file that it is in; `--update-golden` writes it anew."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from dovetail.ir import nn

PAGE = Path(__file__).parents[3] / "docs" / "nn.md"
HEAD = """# The operators of `nn`

Each is a class of `dovetail.ir.nn` with its numbered constraints in the docstring; its meaning in numpy float64 is in
the file of the same name in `ir/meaning`, its work in that of `costmodel/rules`. Elements are f64, f32, f16, bf16,
f8E4M3FN, f8E5M2 or integers of 1 to 64 bits; sizes may be open (`tensor<?x8xf32, ["batch", 8]>`).
Element-wise functions may be steps of `nn.fused_elementwise`.
"""


def test_the_page_lists_every_op(request: pytest.FixtureRequest) -> None:
    rooms = dict.fromkeys(op.__module__ for op in nn.OPS)
    page = HEAD + "".join(section(room) for room in rooms)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page, "pytest tests/ir/nn/test_page.py --update-golden writes it anew"


def section(room: str) -> str:
    """The ops of one file: their names and what they do."""
    file = room.rpartition(".")[2]
    lines = [f"| `{op.name}` | {first_paragraph(op.__doc__)} |" for op in nn.OPS if op.__module__ == room]
    title = first_paragraph(import_module(room).__doc__)
    return "\n".join([f"\n## `{file}`: {title.rstrip('.')}\n", "| op | |", "|---|---|", *lines]) + "\n"


def first_paragraph(doc: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(doc or "").partition("\n\n")[0].split())
