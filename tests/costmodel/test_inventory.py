"""The listings name everything that the catalogue has, with marks and sources."""

from __future__ import annotations

from dovetail.costmodel.inventory import models_text
from dovetail.costmodel.models import load_models


def line_of(text: str, name: str) -> list[str]:
    """The cells of the table line that begins with `name`."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_models_have_a_line_and_sources_each() -> None:
    text = models_text()
    table, sources = text.split("\nSources\n")
    for id in load_models():
        assert line_of(table, id)
        assert f"\n{id}" in sources


def test_no_line_ends_in_blanks() -> None:
    text = models_text()
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.endswith("\n")
