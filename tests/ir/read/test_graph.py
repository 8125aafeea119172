"""graph.yaml to the agent dialect: every kind, every place, defaults, and the way back from a plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects.builtin import FileLineColLoc, StringAttr

from dovetail.ir.agent import GraphOp, NodeOp, ToolCallOp, graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.distribution import Distribution
from dovetail.ir.read.fleet import FleetFile, parse_fleet
from dovetail.ir.read.graph import GraphFile, parse_graph, read_graph
from dovetail.ir.read.inputs import read_inputs

Read = Callable[[str], GraphFile]
LLM = "kind: llm, model: llama-3.1-8b, prompt_tokens: 100, output_tokens: 10"


def nodes(read: GraphFile) -> dict[str, NodeOp]:
    return {op.sym_name.data: op for op in graph_of(read.module).nodes if isinstance(op, NodeOp)}


def text(op: Any, name: str) -> str:
    return str(op.attributes[name])


def test_examples_verify_and_read_back_the_same(example: Path) -> None:
    """What a plan embeds means what the files meant, also after a trip through JSON."""
    graph, fleet = read_inputs(example)
    graph.module.verify()
    again = parse_graph(json.loads(json.dumps(graph.document)))
    assert str(again.module) == str(graph.module)
    assert again.document == graph.document
    assert parse_fleet(json.loads(json.dumps(fleet.document))).spec == fleet.spec


def test_every_op_carries_the_place_it_was_written_at(example: Path) -> None:
    read = read_graph(example)
    lines = (example / "graph.yaml").read_text().splitlines()
    for op in read.module.walk():
        location = op.location
        assert isinstance(location, FileLineColLoc)
        assert location.filename.data == str(example / "graph.yaml")
        written = lines[location.line.data - 1][location.column.data - 1 :]
        if isinstance(op, NodeOp):
            assert written.startswith(f"{op.sym_name.data}:")


def test_edges_carry_their_lines(read: Read) -> None:
    read_file = read(
        "nodes: {a: {kind: router}, b: {kind: router}, c: {kind: router}}\nedges:\n  - a -> b\n  - b -> c\n"
    )
    places = [op.location for op in graph_of(read_file.module).edges]
    assert [(p.line.data, p.column.data) for p in places if isinstance(p, FileLineColLoc)] == [(4, 5), (5, 5)]


def test_a_call_of_a_language_model(read: Read) -> None:
    op = nodes(
        read(
            "nodes: {t: {kind: llm, model: m, precision: fp8, kv_precision: fp16, prompt_tokens: {mean: 100, p95: 200},"
            " output_tokens: 10, prompt_growth: 40, cached_prefix_tokens: 20, parallel: {tp: 2, pp: 1}}}"
        )
    )["t"]
    assert op.name == "agent.llm_call"
    assert op.attributes["prompt_tokens"].value == Distribution.lognormal_mean_p95(100, 200)  # type: ignore[attr-defined]
    assert text(op, "output_tokens").startswith('#agent.dist<"point", [1.000000e+01')
    assert [text(op, name) for name in ("tp", "pp")] == ["2 : i64", "1 : i64"]
    assert text(op, "prompt_growth") == "4.000000e+01 : f64"
    assert text(op, "cached_prefix_tokens") == "2.000000e+01 : f64"
    assert text(op, "kv_precision") == '"fp16"'


def test_a_tool_in_base_units(read: Read) -> None:
    op = nodes(
        read(
            "nodes: {s: {kind: tool, latency: {mean: 300 ms, p95: 900 ms}, cpus: 0.5, "
            "memory: {mean: 200 MiB, peak: 1 GiB}, "
            "usd_per_call: 0.002, concurrency: 20, timeout: 5 s, retries: 2, failure: 1 %, mcp: files}}"
        )
    )["s"]
    assert isinstance(op, ToolCallOp)
    assert op.latency.value.mean == pytest.approx(0.3)
    assert op.memory_mean_bytes.value.data == 200 * 2**20
    assert op.memory_peak_bytes.value.data == 2**30
    assert op.failure.value.data == 0.01
    assert op.timeout_s is not None
    assert op.timeout_s.value.data == 5.0
    assert [text(op, name) for name in ("concurrency", "retries", "mcp")] == ["20 : i64", "2 : i64", '"files"']


@pytest.mark.parametrize(
    ("node", "name", "attributes"),
    [
        ("{kind: model, model: m, audio: 10 s, batch: 2}", "agent.model_call", ["audio_s = 1.0", "batch = 2.0"]),
        ("{kind: model, model: m, image: 512, steps: 20}", "agent.model_call", ["pixels = 2.62144", "steps = 2.0"]),
        ("{kind: tool, latency: 1 s}", "agent.tool_call", ["cpus = 0.0", "usd_per_call = 0.0", "failure = 0.0"]),
        ("{kind: lookup, vectors: 9, dimensions: 8, top_k: 7}", "agent.lookup", ["top_k = 7 : i64", 'index = "flat"']),
        ("{kind: compute, cpu: 2 s, bytes_in: 1 kB}", "agent.compute", ["bytes_in = 1.0", "bytes_out = 0.0"]),
        ("{kind: store, bytes: 4 kB}", "agent.store", ["bytes = 4.0"]),
        ("{kind: router}", "agent.router", []),
        ("{kind: cache, hit_ratio: 30 %, latency: 1 ms}", "agent.cache", ["hit_ratio = 3.0"]),
    ],
)
def test_kinds(read: Read, node: str, name: str, attributes: list[str]) -> None:
    op = nodes(read(f"nodes: {{n: {node}}}"))["n"]
    op.verify()
    assert op.name == name
    for attribute in attributes:
        assert attribute in str(op)


def test_what_is_asked_of_the_whole(read: Read) -> None:
    graph = graph_of(
        read(
            f"name: voice\nnodes: {{t: {{{LLM}}}}}\nworkload: {{rate: 120 req/min, arrivals: poisson}}\n"
            "slo: {ttft: 250 ms, tbt: 20 ms, first_output: 2 s, end_to_end: 12 s, percentile: 95}\nobjective: latency\n"
        ).module
    )
    assert (graph.sym_name.data, graph.objective.data) == ("voice", "latency")
    assert str(graph.workload) == "{arrivals_cv = 1.000000e+00 : f64, rate = 2.000000e+00 : f64}"
    assert list(graph.slo.data) == ["ttft_s", "tbt_s", "first_output_s", "end_to_end_s", "percentile"]


def test_what_is_not_written(read: Read) -> None:
    graph = graph_of(read(f"nodes: {{t: {{{LLM}}}}}").module)
    assert (graph.sym_name.data, graph.objective.data) == ("workflow", "cost")
    assert "rate" not in graph.workload.data
    assert graph.slo.data == {}
    assert graph.profile is None


def test_edges(read: Read) -> None:
    body = (
        f"nodes: {{a: {{{LLM}, stream: true}}, b: {{kind: router}}, c: {{kind: router}}}}\nedges:\n"
        "  - a -> b\n  - {from: a, to: c, probability: 40 %, stream: false, bytes: 2 kB}\n"
        "  - {from: b, to: a, max_visits: 2, probability: 0.5}\n  - b -> c\n"
    )
    with pytest.raises(InputError, match="no node starts"):
        read(body)
    graph = graph_of(read(body.replace("nodes: {", "nodes: {s: {kind: router}, ") + "  - s -> a\n").module)
    first, second, third, *_ = graph.edges
    assert first.stream is not None
    assert second.stream is None
    assert (second.probability and second.probability.value.data, second.bytes.value.data) == (0.4, 2000.0)
    assert (third.max_visits and third.max_visits.value.data, third.stream) == (2, None)


def test_profiles(read: Read) -> None:
    body = (
        "nodes: {t: {kind: llm, prompt_tokens: 9, output_tokens: 9, "
        "profile: {HP: {decode: {latency: 1 s, tbt: 2 ms}}}}}\n"
        "profile: {HP: {prefill: {latency: 80 ms, usd_per_token: 0.00008}}}\n"
        "kv_transfer: [{from: HP, to: CO, latency: 10 ms, usd_per_prompt_token: 0.000005}]\n"
    )
    read_file = read(body)
    graph, op = graph_of(read_file.module), nodes(read_file)["t"]
    assert (
        str(graph.profile) == "{HP = {prefill = {latency_s = 8.000000e-02 : f64, usd_per_token = 8.000000e-05 : f64}}}"
    )
    assert text(op, "profile") == "{HP = {decode = {latency_s = 1.000000e+00 : f64, tbt_s = 2.000000e-03 : f64}}}"
    assert graph.kv_transfer is not None
    assert "latency_s = 1.000000e-02" in str(graph.kv_transfer)
    assert op.attributes["model"] == StringAttr("profile:t")


def test_wishes_of_a_node(read: Read) -> None:
    body = f"nodes: {{a: {{{LLM}, place: {{on: h100, apart: b}}, slo: {{ttft: 1 s}}}}, b: {{{LLM}}}}}\nedges: [a -> b]"
    op = nodes(read(body))["a"]
    assert text(op, "place") == '{apart = "b", on = ["h100"]}'
    assert text(op, "slo") == "{ttft_s = 1.000000e+00 : f64}"


def test_files_are_looked_for_beside_the_graph_and_named_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    (folder / "tts.onnx").write_bytes(b"")
    (folder / "times.csv").write_text("ms\n100\n300\n")
    (folder / "graph.yaml").write_text(
        "version: 1\nfleet: here.yaml\nedges: [a -> b]\nnodes:\n  a: {kind: model, graph: tts.onnx}\n"
        "  b: {kind: tool, latency: {samples: times.csv, unit: ms}}\n"
    )
    monkeypatch.chdir(tmp_path)
    read_file = read_graph(Path("agent"))
    assert text(nodes(read_file)["a"], "graph") == '"tts.onnx"'
    assert read_file.fleet == Path("agent/here.yaml")
    assert read_file.document["nodes"]["a"]["graph"] == "tts.onnx"


def test_samples_are_embedded_so_that_a_plan_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("ms\n100\n300\n")
    (tmp_path / "graph.yaml").write_text(
        "version: 1\nnodes: {b: {kind: tool, latency: {samples: times.csv, unit: ms}}}\n"
    )
    first = read_graph(tmp_path)
    assert first.document["nodes"]["b"]["latency"] == {"samples": [100.0, 300.0], "unit": "ms"}
    (tmp_path / "times.csv").unlink()
    again = parse_graph(first.document)
    assert str(again.module) == str(first.module)
    assert nodes(again)["b"].attributes["latency"].value.mean == pytest.approx(0.2)  # type: ignore[attr-defined]


def test_a_fleet_written_in_the_graph(read: Read) -> None:
    body = f"nodes: {{t: {{{LLM}}}}}\nfleet:\n  devices: {{h100: {{model: h100-sxm, count: 4}}}}\n"
    read_file = read(body)
    assert isinstance(read_file.fleet, FleetFile)
    assert read_file.fleet.spec.devices[0].max_count == 4
    assert read_file.fleet.sources.key(("devices", "h100")).line == 4
    assert "fleet" not in read_file.document


def test_order_in_the_file_is_order_in_the_module(example: Path) -> None:
    read_file = read_graph(example)
    assert list(nodes(read_file)) == list(read_file.document["nodes"])
    assert isinstance(next(iter(read_file.module.ops)), GraphOp)
