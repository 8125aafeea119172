"""Nested graphs of a plan, written flat for those who read plan.json: the same as the pass that inlines them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dovetail
from dovetail.backends.nested import flat_edges, flat_nodes
from dovetail.cli import main
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


def test_networks_of_nested_graphs_become_code_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    sizes = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "net", sizes[:1], sizes[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    (tmp_path / "parts").mkdir()
    onnx.save(model, tmp_path / "parts" / "net.onnx")
    (tmp_path / "parts" / "p.yaml").write_text("version: 1\nnodes: {net: {kind: model, graph: net.onnx}}\n")
    nodes = (
        "{a: {kind: router}, many: {kind: map, graph: parts/p.yaml, over: 2}, one: {kind: agent, graph: parts/p.yaml}}"
    )
    fleet = "{devices: {host: {model: epyc-9554, count: 2, price: {rent: 1 USD/h}}}}"
    (tmp_path / "graph.yaml").write_text(
        f"version: 1\nnodes: {nodes}\nedges: [a -> many, many -> one]\nfleet: {fleet}\n"
    )
    dovetail.plan(tmp_path).write(tmp_path / "out")
    assert main(["run", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^jax/(\S+):$", printed, re.MULTILINE) == ["many/1/net", "many/2/net", "one/net"]
