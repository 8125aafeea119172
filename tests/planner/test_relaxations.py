"""Ways out of a conflict: each is held against plans of the inputs that it proposes, and of those just short of it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from dovetail.driver import plan_files
from dovetail.ir.diagnostics import Infeasible
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.ir.read.inputs import read_inputs
from dovetail.planner.answers.explanation import explain_conflict

GRAPH: dict[str, Any] = {
    "version": 1,
    "name": "pair",
    "nodes": {"a": {"kind": "compute", "cpu": "200 ms"}, "b": {"kind": "compute", "cpu": "100 ms"}},
    "edges": ["a -> b"],
    "workload": {"rate": "2000 req/s"},
}
FLEET: dict[str, Any] = {
    "devices": {
        "cheap": {"model": "epyc-9554", "count": 2, "price": {"rent": "1 USD/h"}},
        "dear": {"model": "xeon-8480", "count": 40, "price": {"rent": "3 USD/h"}},
    }
}
PINNED = {"a": {**GRAPH["nodes"]["a"], "place": {"on": ["cheap"]}}, "b": GRAPH["nodes"]["b"]}


def value(graph: dict[str, Any], fleet: dict[str, Any]) -> float:
    """The cost of the best plan; Infeasible without one."""
    found = plan_files(parse_graph(copy.deepcopy(graph)), parse_fleet(copy.deepcopy(fleet)), Path())
    return found.document["objective"]["value"]


def ways(graph: dict[str, Any], fleet: dict[str, Any]) -> dict[str, float]:
    """What gives a plan, in words -> the plan's objective, the cheapest first."""
    with pytest.raises(Infeasible) as caught:
        value(graph, fleet)
    assert caught.value.document is not None
    found = explain_conflict(caught.value.document)
    return {way["with"]: way["value"] for way in found["ways_out"]}


def with_count(count: int) -> dict[str, Any]:
    fleet = copy.deepcopy(FLEET)
    fleet["devices"]["cheap"]["count"] = count
    return fleet


def test_so_many_more_devices_give_a_plan_and_one_less_none() -> None:
    graph = {**GRAPH, "nodes": PINNED}
    found = ways(graph, FLEET)
    said = next(text for text in found if "more cheap" in text)
    more = int(said.split()[0])
    assert said == f"{more} more cheap (`count[cheap]`)"
    assert found[said] == pytest.approx(value(graph, with_count(2 + more)))
    with pytest.raises(Infeasible):
        value(graph, with_count(2 + more - 1))


def test_the_most_that_can_be_served() -> None:
    graph = {**GRAPH, "nodes": PINNED}
    said = next(text for text in ways(graph, FLEET) if text.startswith("`rate`"))
    rate = float(re.findall(r"at ([\d.]+) req/s", said)[0])
    assert value({**graph, "workload": {"rate": f"{rate} req/s"}}, FLEET) > 0
    with pytest.raises(Infeasible):
        value({**graph, "workload": {"rate": f"{rate * 1.03} req/s"}}, FLEET)


def test_a_pin_left_out() -> None:
    found = ways({**GRAPH, "nodes": PINNED}, FLEET)
    assert found["`place[a]` left out"] == pytest.approx(value(GRAPH, FLEET))


def test_a_lower_rate_ranks_by_what_a_request_costs() -> None:
    """It serves fewer for less: so it is not the cheapest of all just for that."""
    found = ways({**GRAPH, "nodes": PINNED}, FLEET)
    rated = next(text for text in found if text.startswith("`rate`"))
    assert found[rated] == min(found.values())
    assert next(iter(found)) != rated


def test_more_memory_for_a_model_that_fits_nowhere() -> None:
    llm = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 500, "output_tokens": 100}
    llm["parallel"] = {"tp": 1, "pp": 1}
    graph = {"version": 1, "nodes": {"chat": llm}, "workload": {"rate": "1 req/s"}}
    small = {"model": "l4", "memory": "8 GB", "count": 4, "price": {"rent": "1 USD/h"}}
    found = ways(graph, {"devices": {"small": small}})
    said = next(text for text in found if text.startswith("`memory[small]`"))
    size = float(re.findall(r"at ([\d.]+) GB", said)[0])
    assert found[said] == pytest.approx(value(graph, {"devices": {"small": {**small, "memory": f"{size} GB"}}}))
    with pytest.raises(Infeasible):
        value(graph, {"devices": {"small": {**small, "memory": f"{size * 0.85} GB"}}})


@pytest.mark.parametrize("case", ["apart", "count_and_rate", "rack", "survive", "zone"])
def test_each_constraint_of_a_conflict_is_shown_where_it_stands(case: str) -> None:
    graph = Path(__file__).parents[1] / "errors" / f"infeasible_{case}" / "graph.yaml"
    with pytest.raises(Infeasible) as caught:
        plan_files(*read_inputs(graph, None), graph.parent)
    (fault,) = caught.value.diagnostics
    assert caught.value.conflict
    assert {label.text for label in fault.labels} == {f"`{name}`" for name in caught.value.conflict}
