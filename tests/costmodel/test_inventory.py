"""The listings name everything that the catalogue has, with marks and sources."""

from __future__ import annotations

import pytest

from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.inventory import devices_text, models_text
from dovetail.costmodel.models import load_models


def line_of(text: str, name: str) -> list[str]:
    """The cells of the table line that begins with `name`."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_devices_have_a_line_and_sources_each() -> None:
    text = devices_text()
    table, sources = text.split("\nSources\n")
    for id, device in load_devices().items():
        assert line_of(table, id)[1] == device.kind
        assert id in sources
        for figure in device.figures.values():
            assert f"{figure.source} ({figure.date})" in sources


def test_a_line_by_hand() -> None:
    assert " ".join(line_of(devices_text(), "h100-sxm")) == "h100-sxm gpu 80 3350 989.4 1978.9 700 70? 25000 -"


def test_guesses_are_marked_and_the_mark_is_explained() -> None:
    text = devices_text()
    assert "200?" in line_of(text, "tpu-v5e")
    assert "? guess" in text


def test_columns_line_up() -> None:
    table = devices_text().split("\n\n")[0].splitlines()
    end = table[0].index("memory GB") + len("memory GB")
    assert {line[end : end + 2] for line in table} == {"  "}


def test_models_have_a_line_and_sources_each() -> None:
    text = models_text()
    table, sources = text.split("\nSources\n")
    for id in load_models():
        assert line_of(table, id)
        assert f"\n{id}" in sources


@pytest.mark.parametrize("text", [devices_text(), models_text()])
def test_no_line_ends_in_blanks(text: str) -> None:
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.endswith("\n")
