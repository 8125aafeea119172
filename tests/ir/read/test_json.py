"""JSON is read as Python reads it, with places; what is none is told as JSON, under the word at fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.json import read_json_object


def saved(folder: Path, text: str) -> Path:
    path = folder / "config.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_and_places(tmp_path: Path) -> None:
    text = '{\n\t"a": [1, -2.5e3, {"b\\n": null}],\n\t"ä": "\\ud83d\\ude00",  "c": true}\n'
    found = read_json_object(saved(tmp_path, text))
    assert found.value == json.loads(text)
    places = {path: (span.line, span.col, span.length) for path, span in found.sources.values.items()}
    assert places == {
        (): (1, 1, 1), ("a",): (2, 7, 1), ("a", 0): (2, 8, 1), ("a", 1): (2, 11, 6), ("a", 2): (2, 19, 1),
        ("a", 2, "b\n"): (2, 27, 4), ("ä",): (3, 7, 14), ("c",): (3, 29, 4),
    }  # fmt: skip
    assert {path: span.col for path, span in found.sources.keys.items()}[("ä",)] == 2


FAULTS = {
    "": ("", "is empty", None),
    " \n": ("", "is empty", None),
    "{": ("1:1", "the file ends too early", None),
    '{"a": 1,\n}': ("1:8", "nothing follows this comma", "leave it out"),
    '{"a": [1, 2, ]}': ("1:12", "nothing follows this comma", "leave it out"),
    '{"a": 1\n "b": 2}': ("2:2", "a comma is missing before this", None),
    '{"a" 1}': ("1:6", "a colon is missing before this", None),
    "{'a': 1}": ("1:2", "a key in double quotes must stand here", "text stands in double quotes"),
    '{"a": True}': ("1:7", "a value must stand here", "it is written `true`"),
    '{"a": x}': ("1:7", "a value must stand here", "text stands in double quotes"),
    '{"a": 1, // b\n "c": 2}': ("1:10", "a key in double quotes must stand here", "JSON has no comments"),
    '{"a": "x\ny"}': ("2:1", "text holds no line breaks", "a line break is written `\\n` and a tab `\\t`"),
    '{"a": "x': ("1:7", "this text has no end", None),
    '{"a": "\\q"}': ("1:8", "there is no such escape", None),
    '{"a": 1} {}': ("1:10", "it ends before this", None),
    "[1]": ("1:1", "must be a JSON object, and is a list", None),
    "3": ("1:1", "must be a JSON object, and is a number", None),
    '{"a": 1, "a": 2}': ("1:10", "the key `a` stands twice", "keep one of them"),
    '{"a": ' + "[" * 100 + "]" * 100 + "}": ("1:57", "nested more than 50 deep", None),
    "[" * 100_000: ("", "nested more than 50 deep", None),
}


@pytest.mark.parametrize("text", FAULTS, ids=range(len(FAULTS)))
def test_what_is_no_object_is_told_at_its_place(text: str, tmp_path: Path) -> None:
    place, message, help = FAULTS[text]
    with pytest.raises(InputError) as raised:
        read_json_object(saved(tmp_path, text))
    (fault,) = raised.value.diagnostics
    assert message in fault.message
    assert fault.help == help
    assert [f"{label.span.line}:{label.span.col}" for label in fault.labels[:1]] == ([place] if place else [])
    assert "YAML" not in str(raised.value)


def test_files_that_hold_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\0\1")
    with pytest.raises(InputError, match="is a binary file, not JSON"):
        read_json_object(path)


def test_numbers_of_any_length_are_read(tmp_path: Path) -> None:
    found = read_json_object(saved(tmp_path, f'{{"a": {"9" * 5000}, "b": NaN, "c": 1{"0" * 17}}}')).value
    assert found["a"] == float("inf")
    assert found["b"] != found["b"]
    assert found["c"] == 10**17
