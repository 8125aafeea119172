"""Plans over ranges of real workflows: they hold at the corners and inside, and none that is cheaper does."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dovetail.driver import Plan, plan
from dovetail.ir.diagnostics import DovetailError
from dovetail.ir.digest import digest
from dovetail.ir.ranges import document_at
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check import check_plan
from dovetail.planner.placement.evaluate import Books
from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.result import PlacementResult
from dovetail.planner.robust.box import Box
from dovetail.planner.sensitivity.question import question_of
from dovetail.planner.sensitivity.same_plan import held, held_by, outcome

FLEET = {
    "devices": {
        "h100": {"model": "h100-sxm", "count": "0..3", "price": {"rent": "1.5..2.5 USD/h"}},
        "api": {
            "kind": "api",
            "models": ["llama-3.1-8b"],
            "price": {"input": "0.2..0.4 USD/Mtok", "output": "0.5 USD/Mtok"},
            "ttft": "300 ms",
            "tbt": "12 ms",
        },
    },
    "site": {"electricity": "0.1..0.3 USD/kWh"},
}


def graph_of(seed: int) -> dict[str, Any]:
    """One call of a language model, its counts and its rate uncertain."""
    r = random.Random(seed)
    node = {
        "kind": "llm",
        "model": "llama-3.1-8b",
        "prompt_tokens": f"{r.randint(200, 800)}..{r.randint(1000, 2500)}",
        "output_tokens": f"{r.randint(20, 60)}..{r.randint(150, 600)}",
        "parallel": {"tp": 1},
    }
    slo = {"ttft": f"{r.randint(150, 400)} ms", "tbt": f"{r.randint(12, 30)} ms"}
    return {
        "version": 1,
        "nodes": {"think": node},
        "workload": {"rate": f"{r.randint(1, 2)}..{r.randint(3, 9)} req/s"},
        "slo": slo,
        "fleet": FLEET,
    }


def planned(folder: Path, graph: dict[str, Any]) -> Plan:
    file = folder / "graph.yaml"
    file.write_text(json.dumps(graph))  # which YAML can read
    return plan(file)


def box_of(found: Plan) -> Box:
    inputs = found.document["inputs"]
    graph = parse_graph(inputs["graph"])
    return Box(graph.ranges, parse_fleet(inputs["fleet"]).ranges, question_of(found.document), inputs["fleet"])


def every_plan(p: PlacementProblem) -> Iterator[dict[str, str]]:
    """Pairs of options that the fleet and the pools admit."""
    pools = {g.id: g for g in p.pools}
    rows = [[o for o in p.options if o.piece == q.id] for q in p.pieces]
    for choice in itertools.product(*rows):
        whole = {pools[o.pool].whole_nodes for o in choice}
        if len(whole) == 1 and (not whole.pop() or len({o.pool for o in choice}) == 1):
            yield {o.piece: o.pool for o in choice}


@pytest.mark.parametrize("seed", range(5))
def test_no_cheaper_plan_holds_at_the_corners_and_this_one_holds_inside_too(tmp_path: Path, seed: int) -> None:
    found = planned(tmp_path, graph_of(seed))
    box = box_of(found)
    base = box.problem(box.worst)
    chosen, worst = held_by(found.document, base), found.document["robust"]["worst"]
    r = random.Random(seed)
    inner = [tuple(r.random() for _ in box.ranges) for _ in range(6)]
    for point in (*box.corners, *inner):
        held_here = outcome(box.problem(point), chosen)
        assert not held_here.broken, point
        assert held_here.value is not None
        assert held_here.value <= worst * (1 + 1e-6)
    corners = [box.problem(corner) for corner in box.corners]
    books = Books(base)
    for each in every_plan(base):
        replicas, _ = books.sizes([books.options[at] for at in each.items()])
        if not all(replicas.values()):
            continue  # more than the pool can have
        account = books.account(each)
        counts = all(account.devices.get(d.name, 0) <= d.max_count for d in base.devices)
        if account.total < worst * (1 - 1e-6) and counts:
            cheaper = held(base, PlacementResult("feasible", placements=each, replicas=account.replicas))
            assert any(outcome(p, cheaper).broken for p in corners)


def test_a_shorter_output_may_be_the_worse_one(tmp_path: Path) -> None:
    """Fewer tokens, and more prefills of others between two of them: found by a corner, and cut off."""
    graph = graph_of(0)
    graph["nodes"]["think"] |= {"prompt_tokens": 1500, "output_tokens": "40..800"}
    graph |= {"workload": {"rate": "4 req/s"}, "slo": {"ttft": "400 ms", "tbt": "25 ms"}}
    graph["fleet"] = {**FLEET, "devices": {"h100": FLEET["devices"]["h100"] | {"count": 8}}}
    robust = planned(tmp_path, graph).document["robust"]
    assert robust["broken_by_others"] == ["slo.tbt[think]"]
    assert robust["price_of_robustness"] > 0
    assert not robust["nominal_plan"]["holds"]


def test_prices_alone_have_one_corner_and_the_plan_says_what_they_do(tmp_path: Path) -> None:
    graph = graph_of(1)
    graph["nodes"]["think"] |= {"prompt_tokens": 500, "output_tokens": 100}
    graph["workload"] = {"rate": "2 req/s"}
    found = planned(tmp_path, graph)
    robust = found.document["robust"]
    assert robust["corners_checked"] == 1
    assert [each["nominal"] for each in found.document["ranges"]] == [2.0, 0.3, 0.2]
    at_worst = document_at(FLEET, [(each, 1.0) for each in box_of(found).fleet])
    assert planned(tmp_path, graph | {"fleet": at_worst}).cost["usd_per_hour"] == robust["worst"]
    assert "Over the ranges" in found.to_text()
    assert robust["nominal_plan"]["holds"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("robust", "worst"), 0.1),
        (("robust", "nominal"), 99.0),
        (("robust", "price_of_robustness"), 7.0),
        (("ranges", 0, "high"), 2.0),
    ],
)
def test_the_validator_finds_what_is_misstated(tmp_path: Path, path: tuple[str | int, ...], value: float) -> None:
    document = deepcopy(planned(tmp_path, graph_of(2)).document)
    assert not check_plan(document)
    at: Any = document
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert {fault.id for fault in check_plan(document)} == {"check.robust"}


def test_the_validator_finds_a_plan_that_breaks_at_a_corner(tmp_path: Path) -> None:
    """The best plan for long outputs, said to hold for short ones too."""
    graph = graph_of(0)
    graph["nodes"]["think"] |= {"prompt_tokens": 1500, "output_tokens": "800..800"}
    graph |= {"workload": {"rate": "4 req/s"}, "slo": {"ttft": "400 ms", "tbt": "25 ms"}}
    graph["fleet"] = {**FLEET, "devices": {"h100": FLEET["devices"]["h100"] | {"count": 8}}}
    document = deepcopy(planned(tmp_path, graph).document)
    document["inputs"]["graph"]["nodes"]["think"]["output_tokens"] = "40..800"
    document["inputs"]["sha256"]["graph"] = digest(document["inputs"]["graph"])
    document["ranges"][0] |= {"low": 40.0, "nominal": 420.0}
    messages = [fault.message for fault in check_plan(document) if fault.id == "check.robust"]
    assert any("output_tokens = 40.0" in text and "slo.tbt[think]" in text for text in messages)


def test_ranges_over_which_nothing_holds_say_whether_the_middle_has_a_plan(tmp_path: Path) -> None:
    graph = graph_of(3) | {"workload": {"rate": "1..9999 req/s"}, "slo": {"tbt": "10 ms"}}
    with pytest.raises(DovetailError, match="no plan holds over the whole of the ranges"):
        planned(tmp_path, graph)
