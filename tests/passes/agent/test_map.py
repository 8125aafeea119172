"""`map`: a nested graph in copies side by side, and that time and load are those of independent copies."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import dovetail
from dovetail.backends.nested import flat_edges, flat_nodes
from dovetail.backends.pictures import picture_of
from dovetail.ir.agent import graph_of, symbol_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.distribution import Distribution
from dovetail.ir.read.graph import parse_graph, read_graph
from dovetail.ir.read.inputs import read_inputs
from dovetail.ir.text import print_module
from dovetail.ir.verify import verify_module
from dovetail.passes.agent.inline_agents import inline_agents
from dovetail.passes.agent.merge_equal_calls import equal_calls
from dovetail.planner.check import check_plan
from dovetail.planner.posing.pose import pose

MAPPED = Path(__file__).parents[2] / "cases" / "mapped"


def test_text(golden: Callable[[str, str], None]) -> None:
    module = read_graph(MAPPED).module
    inline_agents(module)
    verify_module(module, "the inlined module")
    golden("passes/inline_map.mlir", print_module(module))


def test_every_copy_is_visited_once_and_all_are_waited_for() -> None:
    problem = pose(*read_inputs(MAPPED), MAPPED).problem
    assert {piece.id: piece.visits_per_request for piece in problem.pieces}["each/3/fetch.run"] == 1
    (scenario,) = problem.scenarios
    (merge,) = [step for step in scenario.steps if step.id == "merge@1"]
    assert {before for before, _ in merge.after} == {f"each/{k}/sort@1" for k in (1, 2, 3)}


def test_the_time_is_that_of_the_slowest_copy() -> None:
    """Without a rate nobody waits: P(max of 3 <= t) = P(one <= t)^3, and its mean by quadrature."""
    read, fleet = read_inputs(MAPPED)
    document = {key: value for key, value in read.document.items() if key not in ("workload", "slo")}
    plan = dovetail.driver.plan_files(parse_graph(document), fleet, MAPPED)
    fetch = Distribution.lognormal_mean_p95(1.0, 2.0)
    points = 200_000
    slowest_s = math.fsum(fetch.quantile(((n + 0.5) / points) ** (1 / 3)) for n in range(points)) / points
    others_s = 100e-6 + 10e-3 + 20e-3
    assert plan.latency["end_to_end"]["mean"] == pytest.approx(slowest_s + others_s, rel=2e-3)
    assert plan.latency["end_to_end"]["p95"] == pytest.approx(fetch.quantile(0.95 ** (1 / 3)) + others_s, rel=5e-3)


def test_a_plan_has_a_piece_of_every_copy_and_passes_its_check(tmp_path: Path) -> None:
    plan = dovetail.plan(MAPPED)
    assert {f"each/{k}/{node}.run" for k in (1, 2, 3) for node in ("fetch", "sort")} <= {
        placement["piece"] for placement in plan.placements
    }
    assert check_plan(plan.document) == []
    assert "each/2/fetch" in (plan.write(tmp_path / "out") / "manifests" / "graph.yaml").read_text()


def test_the_copies_are_those_that_plan_json_is_read_with() -> None:
    read = read_graph(MAPPED)
    inline_agents(read.module)
    graph = graph_of(read.module)
    assert list(flat_nodes(read.document)) == [symbol_of(node) for node in graph.nodes]
    assert {(edge["from"], edge["to"]) for edge in flat_edges(read.document)} == {edge.ends for edge in graph.edges}


def test_one_copy_is_a_nested_agent(tmp_path: Path) -> None:
    for name, kind in (("map", "kind: map, over: 1"), ("agent", "kind: agent")):
        (tmp_path / f"{name}.yaml").write_text(
            (MAPPED / "graph.yaml")
            .read_text()
            .replace("kind: map, ", f"{kind}, ")
            .replace("over: 3, join: all", "")
            .replace("part.yaml, }", "part.yaml}")
        )
    for file in ("fleet.yaml", "part.yaml"):
        (tmp_path / file).write_text((MAPPED / file).read_text())
    mapped, nested = (dovetail.plan(tmp_path / f"{name}.yaml") for name in ("map", "agent"))
    assert mapped.cost == nested.cost
    assert mapped.latency == nested.latency


def test_copies_make_calls_of_their_own(tmp_path: Path) -> None:
    """A copy works on its own item, so calls are equal within a copy alone."""
    same = "kind: compute, cpu: 1 ms, deterministic: true, call: count"
    (tmp_path / "part.yaml").write_text(
        f"version: 1\nnodes: {{s: {{kind: router}}, a: {{{same}}}, b: {{{same}}}}}\nedges: [s -> a, s -> b]\n"
    )
    (tmp_path / "graph.yaml").write_text((MAPPED / "graph.yaml").read_text())
    module = read_graph(tmp_path).module
    inline_agents(module)
    graph = graph_of(module)
    pairs = [(a.sym_name.data, b.sym_name.data) for a, b in equal_calls(graph)]
    assert pairs == [(f"each/{k}/a", f"each/{k}/b") for k in (1, 2, 3)]


def test_it_is_drawn_once() -> None:
    picture = picture_of(read_graph(MAPPED).module)
    assert [item.label for item in picture.items] == ["split", "each \u00d7 3", "merge"]
    assert len(list(picture.boxes)) == 4


def test_copies_of_copies_past_counting_are_refused_early(tmp_path: Path) -> None:
    for number in range(6):
        body = f"nodes: {{a: {{kind: map, graph: g{number + 1}.yaml, over: 64}}}}"
        (tmp_path / f"g{number}.yaml").write_text(f"version: 1\n{body}\n")
    (tmp_path / "g6.yaml").write_text("version: 1\nnodes: {a: {kind: router}}\n")
    with pytest.raises(InputError, match="more than 1000 nodes"):
        read_graph(tmp_path / "g0.yaml")
