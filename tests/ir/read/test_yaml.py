"""YAML: values by the core schema of 1.2, the span of every key and value, and what no document may hold."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.yaml import parse_yaml, read_yaml
from dovetail.ir.source import SourceMap, Span

TEXT = """\
version: 1
nodes:
  think: {kind: llm, model: "llama-3.1-8b"}   # a comment
edges:
  - hear -> think
  - {from: think,
     to: say}
"""


def underlined(span: Span) -> str:
    return span.source.line(span.line)[span.col - 1 : span.col - 1 + span.length]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0", 0),
        ("012", 12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("true", True),
        ("null", None),
        ("~", None),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("! 1", 1),
        ("1..5 req/s", "1..5 req/s"),
        (".inf", float("inf")),
        ("9" * 30, float("9" * 30)),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}", "x.yaml").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_spans_of_keys_and_values() -> None:
    sources = parse_yaml(TEXT, "graph.yaml").sources
    assert str(sources.key(("nodes", "think"))) == "graph.yaml:3:3"
    assert underlined(sources.key(("nodes", "think"))) == "think"
    assert underlined(sources.value(("nodes", "think", "model"))) == '"llama-3.1-8b"'
    assert underlined(sources.value(("edges", 0))) == "hear -> think"
    assert str(sources.value(("edges", 1, "to"))) == "graph.yaml:7:10"


def test_what_has_no_span_takes_the_nearest_above_it() -> None:
    sources = parse_yaml(TEXT, "graph.yaml").sources
    assert underlined(sources.value(("nodes", "think", "slo", "ttft"))) == "{"
    assert str(SourceMap(sources.source).value(("nodes",))) == "graph.yaml:1:1"


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, item in inner for p in _paths(item, (*path, key)))]


KEYS = st.text(alphabet="abcdefgh-", min_size=1, max_size=6)
WORDS = st.text(alphabet=st.characters(categories=("L", "N", "P", "S")), max_size=12)
SCALARS = st.one_of(st.integers(-(10**12), 10**12), st.booleans(), st.none(), WORDS, st.floats(0.001, 1e6))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_json_reads_as_itself_and_every_value_has_a_place(value: dict[str, Any]) -> None:
    """JSON is YAML; where a scalar stands on a line, its span holds its text."""
    read = parse_yaml(json.dumps(value, indent=1, ensure_ascii=False), "x.json")
    assert read.value == value
    for path in _paths(value):
        assert path in read.sources.values
        if path and isinstance(path[-1], str):
            assert underlined(read.sources.keys[path]) == f'"{path[-1]}"'


def test_aliases_are_expanded() -> None:
    assert parse_yaml("a: &x {b: 1}\nc: *x\n", "x").value == {"a": {"b": 1}, "c": {"b": 1}}
    found = parse_yaml("a: &x {b: 1}\nc: *x\n", "x")
    found.value["a"]["b"] = 2
    assert found.value["c"]["b"] == 1


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_lines_are_those_that_editors_count(character: str) -> None:
    document = parse_yaml(f'name: "a{character}b"  # c{character}d\nkind: tool\n', "file.yaml")
    assert document.value == {"name": "a b", "kind": "tool"}
    assert document.sources.key(("kind",)).line == 2
    assert underlined(document.sources.key(("kind",))) == "kind"


def test_every_key_that_stands_twice_is_told() -> None:
    with pytest.raises(InputError) as raised:
        parse_yaml("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n", "file.yaml")
    places = [[label.span.line for label in d.labels] for d in raised.value.diagnostics]
    assert places == [[2, 2], [3, 1], [4, 1]]


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"a: 1\n")
    assert read_yaml(file).sha256.startswith("37b128c59f1f5097")  # printf 'a: 1\\n' | sha256sum


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(file).value == {"a": 1}


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"a: 1\r\nb: two\r\n")
    read = read_yaml(file)
    assert read.value == {"a": 1, "b": "two"}
    assert underlined(read.sources.value(("b",))) == "two"
    assert read.sources.source.line(2) == "b: two"


@given(st.text(max_size=60))
def test_any_text_is_a_document_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert parse_yaml(text, "x").value is not None
