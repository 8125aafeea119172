"""The JSON Schemas take what the readers take: the examples; and refuse a good part of what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dovetail.ir.read.fleet_schema import FLEET
from dovetail.ir.read.graph import graph_document
from dovetail.ir.read.schema import GRAPH, json_schema
from dovetail.ir.read.yaml import parse_yaml, read_yaml

ERRORS = Path(__file__).parents[2] / "errors"
BAD_SHAPES = [
    "bad_edge",
    "bad_node_name",
    "fleet_is_a_number",
    "missing_kind",
    "missing_nodes",
    "missing_unit",
    "missing_version",
    "no_distribution",
    "not_a_mapping",
    "percentile_100",
    "percentile_with_sign",
    "stream_is_text",
    "unknown_key",
    "unknown_kind",
    "unknown_top_key",
    "version_is_text",
    "zero_max_visits",
    "zero_tokens",
]


def validator(which: Any) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(which))


@pytest.mark.parametrize("which", ["graph", "fleet"])
def test_the_schema_is_one(which: str) -> None:
    jsonschema.Draft202012Validator.check_schema(validator(which).schema)


def test_examples_validate(example: Path) -> None:
    validator("graph").validate(graph_document(example).value)
    if (example / "fleet.yaml").is_file():  # else it is written in the graph
        validator("fleet").validate(read_yaml(example / "fleet.yaml").value)


@pytest.mark.parametrize("case", BAD_SHAPES)
def test_bad_graphs_do_not(case: str) -> None:
    assert not validator("graph").is_valid(read_yaml(ERRORS / case / "graph.yaml").value)


@pytest.mark.parametrize(
    "text",
    [
        "site: {pue: 1.1}",
        "devices: {h100: {modle: h100-sxm}}",
        "devices: {h100: {count: many}}",
        "devices: {h100: {memory: 80}}",
        "devices: {1h: {}}",
        "devices: {h100: {}}\nsite: {pue: 0.9}",
        "devices: {h100: {}}\nlinks: [{between: [h100], bandwidth: 1 GB/s}]",
    ],
)
def test_bad_fleets_do_not(text: str) -> None:
    assert not validator("fleet").is_valid(parse_yaml(text, "fleet.yaml").value)


@pytest.mark.parametrize("record", [GRAPH, FLEET], ids=["graph", "fleet"])
def test_every_key_says_what_it_is(record: Any) -> None:
    assert all(key.doc for key in record.keys.values())
