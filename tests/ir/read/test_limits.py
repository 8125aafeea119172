"""Every field of graph.yaml and fleet.yaml at its limits: an error that says where, or a plan; nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from field_walk import fields, is_numeric, values, with_value

from dovetail.driver import plan
from dovetail.ir.diagnostics import DovetailError
from dovetail.ir.read.fleet_schema import FLEET
from dovetail.ir.read.inputs import read_inputs
from dovetail.ir.read.schema import GRAPH

Json = dict[str, Any]
SEED = 611
READ_EACH, PLANNED = 7, 25
"""Values of each field that are read, and documents that are planned, where not all are."""

FLEET_DOCUMENT: Json = {
    "devices": {
        "d": {"model": "l40s", "count": 4, "price": {"rent": "1 USD/h"}},
        "cpu": {"model": "epyc-9554", "count": 2, "price": {"rent": "2 USD/h"}},
    },
    "site": {"electricity": "0.2 USD/kWh"},
}
NODES: dict[str, Json] = {
    "llm": {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 100, "output_tokens": 20, "parallel": {"tp": 1}},
    "model": {"kind": "model", "model": "whisper-large-v3", "audio": "5 s"},
    "tool": {"kind": "tool", "latency": "100 ms"},
    "lookup": {"kind": "lookup", "vectors": 1000, "dimensions": 64, "top_k": 5},
    "compute": {"kind": "compute", "cpu": "10 ms"},
    "store": {"kind": "store", "bytes": "1 kB"},
    "router": {"kind": "router"},
    "cache": {"kind": "cache", "hit_ratio": 0.5, "latency": "1 ms"},
    "agent": {"kind": "agent", "graph": "other.yaml"},
    "map": {"kind": "map", "graph": "other.yaml", "over": 2},
}


EDGES: dict[str, list[Json]] = {
    "cache": [{"from": "n", "to": "hit", "probability": 0.5}, {"from": "n", "to": "end"}],
}
"""of kinds of nodes whose edges say more than that `n` goes before `end`"""


def graph_with(kind: str = "tool") -> Json:
    ends = {edge["to"]: {"kind": "compute", "cpu": "1 ms"} for edge in EDGES.get(kind, [{"to": "end"}])}
    return {
        "version": 1,
        "nodes": {"n": NODES[kind], **ends},
        "edges": EDGES.get(kind, [{"from": "n", "to": "end"}]),
        "workload": {"rate": "1 req/s"},
        "fleet": FLEET_DOCUMENT,
    }


def cases() -> Iterator[tuple[str, Json]]:
    """(name, graph.yaml) with each field of both tables at each of its values."""
    for path, rule in fields(GRAPH):
        kind = next((str(part)[1:] for part in path if str(part).startswith("=")), "tool")
        at = tuple(part for part in path if not str(part).startswith("="))
        if path[0] != "fleet" and kind in NODES:
            document = graph_with(kind)
            if "profile" in at[:-1]:  # whose records cannot be without a latency
                document = with_value(document, (*at[:-1], "latency"), "10 ms")
            for value in values(rule):
                yield f"{kind} {at} {value!r}", with_value(document, at, value)
    for path, rule in fields(FLEET):
        for value in values(rule):
            fleet = with_value(FLEET_DOCUMENT, path, value)
            yield f"{path} {value!r}", graph_with() | {"fleet": fleet}


def written(document: Json, folder: Path) -> Path:
    inner = {"version": 1, "nodes": {"a": {"kind": "compute", "cpu": "1 ms"}}}
    (folder / "other.yaml").write_text(yaml.safe_dump(inner))
    file = folder / "graph.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True, default_flow_style=None))
    return file


def outcome(name: str, act: Callable[[], object]) -> DovetailError | None:
    """The error that `act` ends with, None where it ends well; AssertionError for any other exception."""
    try:
        act()
    except DovetailError as error:
        return error
    except Exception as error:
        raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
    return None


def read_or_refused(name: str, file: Path) -> bool:
    """Whether the document is right; else each fault stands at a line."""
    error = outcome(name, lambda: read_inputs(file, None))
    faults = error.diagnostics if error is not None else ()
    assert all(fault.labels and fault.labels[0].span.line >= 1 for fault in faults), f"{name}: {error}"
    return error is None


def planned_or_refused(name: str, file: Path) -> None:
    error = outcome(name, lambda: plan(file, time_limit_s=5))
    assert error is None or str(error).startswith("error["), name


def sampled(r: random.Random) -> list[tuple[str, Json]]:
    """Some values of each field."""
    by_field: dict[str, list[tuple[str, Json]]] = {}
    for name, document in cases():
        by_field.setdefault(name.partition(")")[0], []).append((name, document))
    return [each for found in by_field.values() for each in r.sample(found, min(READ_EACH, len(found)))]


def test_each_field_at_its_limits_is_read_or_refused_where_it_stands(tmp_path: Path) -> None:
    r = random.Random(SEED)
    chosen = sampled(r)
    assert len(chosen) > 500
    right = [(name, document) for name, document in chosen if read_or_refused(name, written(document, tmp_path))]
    for name, document in r.sample(right, PLANNED):
        planned_or_refused(name, written(document, tmp_path))


def test_every_table_has_numbers_to_try() -> None:
    numeric = [path for table in (GRAPH, FLEET) for path, rule in fields(table) if is_numeric(rule)]
    assert len(numeric) > 80


@pytest.mark.fuzz
def test_all_values_of_all_fields(tmp_path: Path) -> None:
    for name, document in cases():
        file = written(document, tmp_path)
        if read_or_refused(name, file):
            planned_or_refused(name, file)
