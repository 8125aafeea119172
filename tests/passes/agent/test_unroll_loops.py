"""`unroll-loops`: the text it leaves, and that requests take the same ways as through the loop."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import ModuleOp

from dovetail.ir.agent import GraphOp, LLMCallOp, graph_of, symbol_of
from dovetail.ir.read.graph import parse_graph
from dovetail.ir.text import print_module
from dovetail.ir.verify import verify_module
from dovetail.opt import parse_passes
from dovetail.passes import run_passes
from dovetail.passes.agent.unroll_loops import Loop, can_unroll, loops, unroll_loops
from dovetail.planner.placement.problem import Scenario
from dovetail.planner.placement.times.unroll import Edge, Flow, TooManyScenarios, node_of, unroll

MOST_WAYS = 150
"""Random loops with more ways through them are left out, for time."""
ReadGraph = Callable[[str], GraphOp]
LLM = "kind: llm, model: llama-3.1-8b, prompt_tokens: 1000, output_tokens: 10, prompt_growth: 300"

VOICE = f"""nodes:
  hear: {{kind: router}}
  think: {{{LLM}, cached_prefix_tokens: 50}}
  search: {{kind: tool, latency: 1 s, place: {{with: think}}}}
  say: {{kind: store, bytes: 1 kB, place: {{apart: search}}}}
edges:
  - hear -> think
  - {{from: think, to: search, probability: 0.4, max_visits: 2, bytes: 3 kB}}
  - search -> think
  - {{from: think, to: say, stream: true}}
"""
TWO_TOOLS = """nodes: {a: {kind: router}, b: {kind: router}, c: {kind: router}, d: {kind: router}, e: {kind: router}}
edges:
  - a -> b
  - {from: b, to: c, probability: 0.3, max_visits: 1}
  - {from: b, to: d, probability: 0.2, max_visits: 2}
  - {from: b, to: e, probability: 0.5}
  - c -> b
  - {from: d, to: b, probability: 0.6}
  - d -> e
"""


def expected_visits(scenarios: tuple[Scenario, ...]) -> dict[str, float]:
    """Node -> visits per request on average."""
    visits: dict[str, float] = {}
    for scenario in scenarios:
        for step in scenario.steps:
            visits[node_of(step)] = visits.get(node_of(step), 0.0) + scenario.probability
    return visits


def module_of(graph: GraphOp) -> ModuleOp:
    module = graph.parent_op()
    assert isinstance(module, ModuleOp)
    return module


def flow_of(graph: GraphOp) -> Flow:
    """The graph as the planner sees it, one piece for each node."""
    edges = (
        Edge(
            *edge.ends,
            edge.probability.value.data if edge.probability is not None else None,
            edge.max_visits.value.data if edge.max_visits is not None else None,
            edge.stream is not None,
        )
        for edge in graph.edges
    )
    return Flow({symbol_of(node): (symbol_of(node),) for node in graph.nodes}, tuple(edges))


def as_visits(text: str) -> str:
    """A visit of an unrolled node (`think@2-3@1`) by the name of the visit (`think@2`)."""
    return re.sub(r"@(\d+)(-\d+)?@1", r"@\1", text)


def ways(scenarios: tuple[Scenario, ...]) -> dict[tuple[object, ...], float]:
    """Visits with what they follow -> probability."""
    found: dict[tuple[object, ...], float] = {}
    for s in scenarios:
        steps = ((as_visits(t.id), tuple(sorted((as_visits(b), st) for b, st in t.after))) for t in s.steps)
        way = (*sorted(steps), *sorted(map(as_visits, s.sinks)))
        found[way] = found.get(way, 0.0) + s.probability
    return found


def visits_by_node(scenarios: tuple[Scenario, ...]) -> dict[str, float]:
    """Node of the loop -> visits of all its unrolled nodes together."""
    found: dict[str, float] = {}
    for name, count in expected_visits(scenarios).items():
        node = name.partition("@")[0]
        found[node] = found.get(node, 0.0) + count
    return found


def check_same_ways(before: tuple[Scenario, ...], graph: GraphOp) -> None:
    after = unroll(flow_of(graph))
    assert ways(after) == pytest.approx(ways(before), abs=1e-11)
    assert visits_by_node(after) == pytest.approx(expected_visits(before), abs=1e-10)


def test_text(graph: ReadGraph, golden: Callable[[str, str], None]) -> None:
    module = module_of(graph(VOICE))
    run_passes(module, parse_passes("unroll-loops"))
    golden("passes/unroll_loops.mlir", print_module(module))


@pytest.mark.parametrize("body", [VOICE, TWO_TOOLS])
def test_requests_take_the_same_ways(graph: ReadGraph, body: str) -> None:
    loop = graph(body)
    before = unroll(flow_of(loop))
    unroll_loops(loop)
    verify_module(module_of(loop), "the unrolled module")
    assert loops(loop) == []
    assert not any(edge.max_visits for edge in loop.edges)
    check_same_ways(before, loop)


def test_probabilities_by_hand(graph: ReadGraph) -> None:
    """0.3 to `c`, once: the second time `d` has 0.2 / 0.7 and `e` 0.5 / 0.7."""
    loop = graph(TWO_TOOLS)
    unroll_loops(loop)
    found = {edge.ends: edge.probability.value.data for edge in loop.edges if edge.probability is not None}
    assert found["b@1", "c@1"] == 0.3
    assert found["b@2", "d@1-2"] == pytest.approx(0.2 / 0.7)
    assert found["b@2", "e"] == pytest.approx(0.5 / 0.7)


def test_a_prompt_grows_from_visit_to_visit(graph: ReadGraph) -> None:
    loop = graph(VOICE)
    unroll_loops(loop)
    calls = [op for op in loop.nodes if isinstance(op, LLMCallOp)]
    assert [call.prompt_tokens.value.mean for call in calls] == [1000, 1300, 1600]
    assert [call.cached_prefix_tokens.value.data for call in calls] == [50, 1000, 1300]
    assert {call.prompt_growth.value.data for call in calls} == {0.0}


def test_a_loop_of_many_visits_is_left_as_it_is(graph: ReadGraph) -> None:
    text = print_module(module_of(graph(VOICE)))
    loop = graph(VOICE)
    run_passes(module_of(loop), parse_passes("unroll-loops{most=4}"))
    assert print_module(module_of(loop)) == text
    run_passes(module_of(loop), parse_passes("unroll-loops{most=5}"))
    assert "think@3" in print_module(module_of(loop))


def test_visits_past_counting_are_not_counted_to_the_end(graph: ReadGraph) -> None:
    """Eight tools of nine calls each: 10^8 states and more."""
    tools = "".join(f", t{k}: {{kind: router}}" for k in range(8))
    edges = "".join(f"  - {{from: b, to: t{k}, probability: 0.1, max_visits: 9}}\n  - t{k} -> b\n" for k in range(8))
    nodes = f"nodes: {{a: {{kind: router}}, b: {{kind: router}}, e: {{kind: router}}{tools}}}"
    many = graph(f"{nodes}\nedges:\n  - a -> b\n{edges}  - b -> e\n")
    (loop,) = loops(many)
    assert Loop(many, loop).count(1001) == 1001
    unroll_loops(many)
    assert loops(many) == [loop]


LEFT_ALONE = [
    ("entered at two nodes", "  - search -> think", "  - search -> think\n  - hear -> search"),
    ("two of its nodes at once", "  - search -> think", "  - search -> think\n  - search -> say2\n  - say2 -> think"),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in LEFT_ALONE], ids=[case[0] for case in LEFT_ALONE])
def test_loops_that_are_no_chain_are_left_alone(graph: ReadGraph, old: str, new: str) -> None:
    loop = graph(
        VOICE.replace(old, new).replace("  say:", "  say2: {kind: router}\n  say:" if "say2" in new else "  say:")
    )
    (nodes,) = loops(loop)
    assert not can_unroll(loop, nodes)


def random_loop(rng: random.Random) -> GraphOp:
    """A workflow with one or two loops: nodes in a row, with bounded edges back and choices forward."""
    size = rng.randrange(3, 7)
    edges: list[dict[str, object]] = [{"from": f"n{k}", "to": f"n{k + 1}"} for k in range(size)]
    for k in range(1, size):
        if rng.random() < 0.5:
            back = rng.randrange(1, k + 1)
            p = rng.choice([0.2, 0.3, 0.45])
            edges.append({"from": f"n{k}", "to": f"n{back}", "probability": p, "max_visits": rng.randrange(1, 4)})
        if k + 2 <= size and rng.random() < 0.4:
            edges.append({"from": f"n{k}", "to": f"n{rng.randrange(k + 2, size + 1)}", "probability": 0.25})
        if rng.random() < 0.2:
            edges[k]["probability"] = 1.0 - sum(
                float(str(e["probability"])) for e in edges[size:] if e["from"] == f"n{k}"
            )
    nodes = {f"n{k}": {"kind": "router"} for k in range(size + 1)}
    document = {"version": 1, "nodes": nodes, "edges": edges}
    return graph_of(parse_graph(document).module)


def test_random_loops_keep_their_ways() -> None:
    rng, unrolled, visited_twice = random.Random(3), 0, 0
    for _ in range(150):
        graph = random_loop(rng)
        if not loops(graph):
            continue
        try:
            before = unroll(flow_of(graph))
        except TooManyScenarios:
            continue
        if len(before) > MOST_WAYS:
            continue
        unroll_loops(graph, most=300)
        verify_module(module_of(graph), "the unrolled module")
        unrolled += not loops(graph)
        visited_twice += any("-" in symbol_of(node) for node in graph.nodes)
        check_same_ways(before, graph)
    assert unrolled > 60, unrolled
    assert visited_twice > 20, visited_twice


def test_visits_agree_with_a_simulation_of_the_loop(graph: ReadGraph) -> None:
    """The loop is walked by its rules alone, with neither the planner's code nor the pass's."""
    loop, rng, requests = graph(TWO_TOOLS), random.Random(5), 20_000
    edges = [
        (*e.ends, e.probability.value.data if e.probability else None, e.max_visits.value.data if e.max_visits else 99)
        for e in loop.edges
    ]
    visits: Counter[str] = Counter()
    for _ in range(requests):
        node, taken = "a", Counter[tuple[str, str]]()
        while True:
            visits[node] += 1
            rest = 1.0 - sum(e[2] or 0.0 for e in edges if e[0] == node)
            ways_on = [(e[1], rest if e[2] is None else e[2]) for e in edges if e[0] == node and taken[e[:2]] < e[3]]
            if not ways_on:
                break
            (target,) = rng.choices([t for t, _ in ways_on], [p for _, p in ways_on])
            taken[node, target] += 1
            node = target
    unroll_loops(loop)
    found = visits_by_node(unroll(flow_of(loop)))
    for node in "abcde":
        assert visits[node] / requests == pytest.approx(found[node], abs=0.02)
