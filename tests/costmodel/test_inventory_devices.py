"""The listings of devices name everything that the catalogue has, with marks and sources."""

from __future__ import annotations

import pytest

from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.inventory_devices import device_text, devices_json, devices_text
from dovetail.ir.diagnostics import InputError


def line_of(text: str, name: str) -> list[str]:
    """The cells of the table line that begins with `name`."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_devices_have_a_line_each() -> None:
    table = devices_text()
    for id, device in load_devices().items():
        assert line_of(table, id)[1] == device.kind


@pytest.mark.parametrize("id", load_devices())
def test_one_device_shows_every_figure_with_its_source_and_mark(id: str) -> None:
    text = device_text(id)
    for name, figure in load_devices()[id].figures.items():
        line = next(line for line in text.splitlines() if line.split()[:1] == [name])
        assert f"{figure.source} ({figure.date})" in line
        assert figure.quality.replace("_", " ") in line
        assert figure.text in line


def test_guesses_are_marked_and_the_mark_is_explained() -> None:
    text = devices_text()
    assert "200?" in line_of(text, "tpu-v5e")
    assert "? guess" in text


def test_columns_line_up() -> None:
    table = devices_text().split("\n\n")[0].splitlines()
    end = table[0].index("memory GiB") + len("memory GiB")
    assert {line[end : end + 2] for line in table} == {"  "}


def test_no_line_ends_in_blanks() -> None:
    for text in (devices_text(), device_text("b200")):
        assert all(line == line.rstrip() for line in text.splitlines())


def test_json_has_every_figure_in_base_units() -> None:
    assert [item["id"] for item in devices_json()] == list(load_devices())
    (item,) = devices_json("H100_SXM")
    assert item["aliases"] == ["h100"]
    assert item["figures"]["bandwidth"]["value"] == 3350e9
    assert item["figures"]["bandwidth"]["quality"] == "data_sheet"


def test_an_unknown_device_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="`h100-sxn` is no device of the catalogue") as caught:
        device_text("h100-sxn")
    assert "h100-sxm" in str(caught.value)
