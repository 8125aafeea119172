"""`merge-equal-calls`: the text it leaves, what it leaves alone, and that no node sees another input than before."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp

import dovetail
from dovetail.ir.agent import GraphOp, NodeOp, graph_of, symbol_of
from dovetail.ir.read.graph import parse_graph
from dovetail.ir.text import print_module
from dovetail.ir.verify import verify_module
from dovetail.passes import find_pass, run_passes
from dovetail.passes.agent.merge_equal_calls import equal_calls, merge_equal_calls

ReadGraph = Callable[[str], GraphOp]
SEARCH = "kind: tool, latency: 1 s, deterministic: true, call: search"
THINK = "kind: llm, model: llama-3.1-8b, prompt_tokens: 100, output_tokens: 10"

TWO = f"""nodes:
  ask: {{kind: router}}
  a: {{{SEARCH}}}
  b: {{{SEARCH}}}
  x: {{{THINK}, temperature: 0, call: sum up, place: {{with: y}}}}
  y: {{{THINK}, temperature: 0, call: sum up more}}
  end: {{kind: store, bytes: 1 kB, place: {{apart: b}}}}
edges: [ask -> a, ask -> b, a -> x, b -> y, x -> end, y -> end]
"""


def module_of(graph: GraphOp) -> ModuleOp:
    module = graph.parent_op()
    assert isinstance(module, ModuleOp)
    return module


def names(graph: GraphOp) -> list[str]:
    return [symbol_of(node) for node in graph.nodes]


def test_text(graph: ReadGraph, golden: Callable[[str, str], None]) -> None:
    module = module_of(graph(TWO))
    run_passes(module, [find_pass("merge-equal-calls")()])
    golden("passes/merge_equal_calls.mlir", print_module(module))


def test_merged_calls_make_those_after_them_equal(graph: ReadGraph) -> None:
    chained = graph(TWO.replace(", place: {with: y}", "").replace("sum up more", "sum up"))
    merge_equal_calls(chained)
    assert names(chained) == ["ask", "a", "x", "end"]
    assert [edge.ends for edge in chained.edges] == [("ask", "a"), ("a", "x"), ("x", "end")]


LEFT_ALONE = [
    ("no call named", "deterministic: true, call: search", "deterministic: true"),
    ("another call", f"b: {{{SEARCH}}}", f"b: {{{SEARCH} again}}"),
    ("not deterministic", "deterministic: true, ", ""),
    ("deterministic: false", "deterministic: true", "deterministic: false"),
    ("may fail", "latency: 1 s", "latency: 1 s, failure: 1 %"),
    ("other figures", f"b: {{{SEARCH}}}", f"b: {{{SEARCH}, cpus: 2}}"),
    ("placed elsewhere", f"b: {{{SEARCH}}}", f"b: {{{SEARCH}, place: {{on: [h]}}}}"),
    ("other input", "ask -> b,", "ask -> end, end -> b,"),
    ("more input", "ask -> b,", "ask -> b, {from: ask, to: z}, z -> b,"),
    ("one of them by choice", "ask -> b,", "{from: ask, to: b, probability: 0.5},"),
    ("streamed into one", "ask -> b,", "{from: ask, to: b, stream: true},"),
    ("a choice after one", "b -> y,", "{from: b, to: y, probability: 0.5}, {from: b, to: end, probability: 0.5},"),
    ("more data to a common successor", "b -> y,", "b -> y, b -> x2, {from: a, to: x2, bytes: 1 kB},"),
    ("on a cycle", "a -> x,", "a -> x, {from: a, to: ask2, max_visits: 2}, ask2 -> a, ask2 -> b,"),
    ("one of them ends the graph", "b -> y, x -> end, y -> end", "a -> y, x -> end, y -> end"),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in LEFT_ALONE], ids=[case[0] for case in LEFT_ALONE])
def test_what_may_differ_is_left_alone(graph: ReadGraph, old: str, new: str) -> None:
    assert TWO.count(old) in (1, 2)
    text = TWO.replace(old, new).replace("end -> b, a -> x, b -> y, x -> end, y -> end", "end -> b, a -> x, b -> y")
    for extra in ("z", "x2", "ask2"):
        if f" {extra}" in text:
            text = text.replace("  end:", f"  {extra}: {{kind: router}}\n  end:")
    whole = graph(text)
    verify_module(module_of(whole), "the case")
    assert list(equal_calls(whole)) == []


@pytest.mark.parametrize("temperature", ["", ", temperature: 0.7"])
def test_language_models_are_deterministic_at_temperature_0_alone(graph: ReadGraph, temperature: str) -> None:
    body = TWO.replace(", place: {with: y}", "").replace("sum up more", "sum up")
    chained = graph(body.replace(", temperature: 0", temperature))
    merge_equal_calls(chained)
    assert names(chained) == ["ask", "a", "x", "y", "end"]


def test_networks_are_deterministic(graph: ReadGraph) -> None:
    whole = graph(TWO.replace(SEARCH, "kind: model, model: speecht5-tts, characters: 10, call: speak"))
    merge_equal_calls(whole)
    assert "b" not in names(whole)


def test_a_plan_names_equal_calls(tmp_path: Path) -> None:
    fleet = "fleet: {devices: {h: {model: epyc-9554, count: 2, price: {rent: 1 USD/h}}}}"
    body = "nodes: {ask: {kind: router}, a: {%s}, b: {%s}}\nedges: [ask -> a, ask -> b]\n"
    (tmp_path / "graph.yaml").write_text(f"version: 1\n{body % (SEARCH, SEARCH)}{fleet}\n")
    plan = dovetail.plan(tmp_path)
    assert "`b` makes the same call as `a`: one node could stand for both" in plan.warnings
    assert {"a.run", "b.run"} <= {placement["piece"] for placement in plan.placements}


def random_graph(rng: random.Random) -> GraphOp:
    """A workflow without cycles of up to twelve nodes, many of which make one of two calls, with some choices."""
    nodes: dict[str, object] = {"n0": {"kind": "router"}}
    edges: list[dict[str, object]] = []
    for number in range(1, rng.randrange(4, 12)):
        call = rng.choice(["f", "g", None])
        nodes[f"n{number}"] = {
            "kind": "compute",
            "cpu": "1 ms",
            "deterministic": rng.random() < 0.9,
            **({} if call is None else {"call": call}),
        }
        before = rng.sample(range(min(number, 4)), k=1 if rng.random() < 0.7 or number == 1 else 2)
        for other in before:
            edges.append({"from": f"n{other}", "to": f"n{number}"})
    for name in nodes:
        leaving = [edge for edge in edges if edge["from"] == name]
        if len(leaving) > 1 and rng.random() < 0.25:
            leaving[0]["probability"] = 0.5
    return graph_of(parse_graph({"version": 1, "nodes": nodes, "edges": edges}).module)


def run(graph: GraphOp, chosen: Mapping[str, bool]) -> dict[str, object]:
    """What each node that runs gives, as a term over the calls made; at a choice, `chosen` takes the marked edge."""
    values: dict[str, object] = {}
    given: dict[str, list[object]] = {}
    entered = {edge.ends[1] for edge in graph.edges}
    for node in graph.nodes:  # the generator writes nodes in an order that respects the edges
        assert isinstance(node, NodeOp)
        name = node.sym_name.data
        if name in entered and name not in given:
            continue
        label = node.call.data if node.call is not None and "deterministic" in node.attributes else name
        values[name] = (label, tuple(sorted(set(map(repr, given.get(name, []))))))
        for edge in graph.edges:
            if edge.ends[0] == name and (edge.probability is None) == (not chosen.get(name, False)):
                given.setdefault(edge.ends[1], []).append(values[name])
    return values


def test_every_node_gets_the_inputs_that_it_got_before() -> None:
    rng, merged = random.Random(7), 0
    for _ in range(400):
        graph = random_graph(rng)
        choosing = sorted({edge.ends[0] for edge in graph.edges if edge.probability is not None})
        choices = [{name: bool(bits >> k & 1) for k, name in enumerate(choosing)} for bits in range(1 << len(choosing))]
        before = [run(graph, chosen) for chosen in choices]
        sinks = {symbol_of(n) for n in graph.nodes} - {edge.ends[0] for edge in graph.edges}
        size = len(names(graph))
        merge_equal_calls(graph)
        verify_module(module_of(graph), "the merged module")
        merged += size - len(names(graph))
        for old, new in zip(before, (run(graph, chosen) for chosen in choices), strict=True):
            assert new == {name: value for name, value in old.items() if name in new}
            assert set(map(repr, new.values())) == set(map(repr, old.values()))
            left = {symbol_of(n) for n in graph.nodes} - {edge.ends[0] for edge in graph.edges}
            assert {repr(new[n]) for n in left if n in new} == {repr(old[n]) for n in sinks if n in old}
    assert merged >= 50, merged
