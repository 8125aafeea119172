"""Nested graphs of a plan, written flat for those who read plan.json: the same as the pass that inlines them."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail
from dovetail.backends.nested import flat_edges, flat_nodes
from dovetail.ir.agent import graph_of
from dovetail.ir.read.graph import read_graph
from dovetail.passes.agent.inline_agents import inline_agents

NESTED = Path(__file__).parents[1] / "cases" / "nested"


@pytest.mark.parametrize("file", ["graph.yaml", "flat.yaml"])
def test_nodes_and_edges_are_those_of_the_inlined_module(file: str) -> None:
    read = read_graph(NESTED / file)
    inline_agents(read.module)
    graph = graph_of(read.module)
    assert list(flat_nodes(read.document)) == [str(op.attributes["sym_name"]).strip('"') for op in graph.nodes]
    found = {(edge["from"], edge["to"], edge.get("max_visits")) for edge in flat_edges(read.document)}
    assert found == {
        (e.source.string_value(), e.target.string_value(), e.max_visits.value.data if e.max_visits else None)
        for e in graph.edges
    }


def test_a_plan_of_nested_graphs_is_written_whole(tmp_path: Path) -> None:
    plan = dovetail.plan(NESTED)
    written = plan.write(tmp_path / "out")
    assert "helper/tidy/log" in (written / "manifests" / "graph.yaml").read_text()
    text = plan.to_text()
    at = [text.index(piece) for piece in ("hear.run", "helper/ask.run", "helper/tidy/clean.run", "say.run")]
    assert at == sorted(at)
