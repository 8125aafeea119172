"""Several graphs on one fleet: every plan tried, what sharing changes, and each graph's own figures."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backends.manifests.emit import emit_manifests
from dovetail.ir.agent import graph_of
from dovetail.ir.digest import digest
from dovetail.ir.members import members_of
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check import check_plan
from dovetail.planner.sensitivity.graph_inputs import graph_inputs

from .random_graphs import instance, least, least_of_all

Json = dict[str, Any]
FLEET = """
devices:
  gpu: {kind: gpu, memory: 80 GB, bandwidth: 3 TB/s, flops: {bf16: 900 TFLOP/s}, idle: 100 W, tdp: 700 W, count: 8,
        price: {rent: 2 USD/h}}
  host: {model: epyc-9554, count: 0..8, price: {rent: 2 USD/h}}
"""
SUPPORT = """
version: 1
name: support
nodes:
  start: {kind: router}
  think: {kind: llm, model: llama-3.1-8b, prompt_tokens: 1000, output_tokens: 200}
  find: {kind: tool, latency: {mean: 300 ms, p95: 600 ms}, cpus: 0.5}
  done: {kind: store, bytes: 1 KB}
edges:
  - start -> think
  - {from: think, to: find, probability: 0.4}
  - {from: find, to: think, max_visits: 2}
  - think -> done
workload: {rate: 2 req/s}
slo: {end_to_end: 8 s, percentile: 95}
"""
SUMS = """
version: 1
name: sums
nodes:
  sum: {kind: llm, model: llama-3.1-8b, prompt_tokens: 4000, output_tokens: 300}
workload: {rate: 1 req/s}
slo: {ttft: 2 s, end_to_end: 20 s}
"""

PROFILED = """
version: 1
name: {name}
nodes: {{n: {{kind: model, model: some-network}}}}
workload: {{rate: {rate} req/s}}
profile: {{x: {{run: {{latency: {latency}, usd_per_call: {usd}}}}}}}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dovetail.Plan:
    folder = write(tmp_path_factory.mktemp("both"), support=SUPPORT, sums=SUMS, fleet=FLEET)
    return dovetail.plan(folder / "support.yaml", folder / "sums.yaml", fleet=folder / "fleet.yaml")


@pytest.mark.parametrize("batch", range(4))
def test_the_best_plan_of_two_graphs_is_the_best_of_all_plans(batch: int) -> None:
    changed = 0
    for seed in range(batch, 60, 4):
        graphs, fleet = instance(seed)
        best, expected = least(graphs, fleet), least_of_all(graphs, fleet)
        assert best == (pytest.approx(expected) if expected is not None else None), seed
        alone = [least_of_all({name: graph}, fleet) for name, graph in graphs.items()]
        apart = None if None in alone else sum(usd for usd in alone if usd is not None)
        changed += best != pytest.approx(apart) if apart is not None else 0
    assert changed >= 8


def test_every_piece_is_placed_under_the_name_of_its_graph(both: dovetail.Plan) -> None:
    nodes = {entry["piece"].rpartition(".")[0] for entry in both.placements}
    assert nodes == {"support/start", "support/think", "support/find", "support/done", "sums/sum"}
    shared = {entry["piece"]: entry["pool"] for entry in both.placements}
    assert shared["support/think.decode"] == shared["sums/sum.decode"], "one model, one pool"


def test_each_graph_keeps_its_own_bound_over_its_own_requests(both: dovetail.Plan) -> None:
    graphs = both.document["graphs"]
    assert graphs["support"]["latency_s"]["end_to_end"]["p95"] <= 8
    assert both.latency["ttft"]["sums/sum"] <= 2
    mean = sum(graph["share"] * graph["latency_s"]["end_to_end"]["mean"] for graph in graphs.values())
    assert both.latency["end_to_end"]["mean"] == pytest.approx(mean, rel=1e-3)


def test_the_costs_of_the_graphs_add_up_to_the_cost(both: dovetail.Plan) -> None:
    usd = sum(graph["rate_per_s"] * graph["usd_per_request"] for graph in both.document["graphs"].values())
    assert usd * 3600 == pytest.approx(both.cost["usd_per_hour"])


def test_two_graphs_of_few_requests_share_one_gpu(tmp_path: Path) -> None:
    rare = SUPPORT.replace("2 req/s", "0.05 req/s"), SUMS.replace("1 req/s", "0.02 req/s")
    files = [
        write(tmp_path, support=rare[0], sums=rare[1], fleet=FLEET) / f"{name}.yaml" for name in ("support", "sums")
    ]
    alone = [dovetail.plan(file, fleet=tmp_path / "fleet.yaml") for file in files]
    both = dovetail.plan(*files, fleet=tmp_path / "fleet.yaml")
    assert both.cost["usd_per_hour"] < sum(plan.cost["usd_per_hour"] for plan in alone)


def test_the_order_of_the_graphs_changes_no_figure(both: dovetail.Plan, tmp_path: Path) -> None:
    write(tmp_path, support=SUPPORT, sums=SUMS, fleet=FLEET)
    other = dovetail.plan(tmp_path / "sums.yaml", tmp_path / "support.yaml", fleet=tmp_path / "fleet.yaml")
    assert other.cost == both.cost


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("graphs", "support", "usd_per_request"), 1e-3),
        (("graphs", "support", "share"), 0.5),
        (("graphs", "sums", "rate_per_s"), 7.0),
        (("graphs", "sums", "latency_s", "end_to_end", "p95"), 1.0),
    ],
)
def test_the_validator_finds_figures_of_a_graph_that_are_wrong(
    both: dovetail.Plan, path: tuple[str, ...], value: float
) -> None:
    assert check_plan(both.document) == []
    wrong = parse(both.to_json())
    place = wrong
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert [fault.id for fault in check_plan(wrong)] in (["check.graphs"], ["check.latency"])


def parse(text: str) -> Json:
    import json

    return json.loads(text)


def test_a_plan_that_leaves_a_graph_out_is_found_out(both: dovetail.Plan) -> None:
    wrong = parse(both.to_json())
    del wrong["graphs"]
    assert {fault.id for fault in check_plan(wrong)} == {"check.graphs"}


def test_the_document_of_several_graphs_reads_as_itself(both: dovetail.Plan) -> None:
    document = both.document["inputs"]["graph"]
    again = parse_graph(document)
    assert again.document == document
    assert digest(document) == both.document["inputs"]["sha256"]["graph"]


def test_text_picture_and_manifests_take_several_graphs(both: dovetail.Plan) -> None:
    text = both.to_text()
    assert "Made for 2 req/s of support and 1 req/s of sums." in text
    assert "end to end of support, p95" in text
    assert "sums/sum.decode" in both.picture("mermaid")
    assert any(
        "support/think" in file.content for file in emit_manifests(both.document) if isinstance(file.content, str)
    )


def test_one_more_request_of_either_graph_is_more_throughput(tmp_path: Path) -> None:
    texts = [PROFILED.format(name=name, latency="100 ms", usd=0, rate=rate) for name, rate in (("a", 2), ("b", 1))]
    write(tmp_path, a=texts[0], b=texts[1], fleet="devices: {x: {count: 2, price: {rent: 1 USD/h}}}")
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    most = dovetail.plan(*files, fleet=tmp_path / "fleet.yaml", objective="throughput")
    rates = [graph["rate_per_s"] for graph in most.document["graphs"].values()]
    assert rates[0] == pytest.approx(2 * rates[1])
    assert sum(rates) == pytest.approx(most.document["objective"]["value"])


def test_measured_figures_of_one_graph_are_not_those_of_another(tmp_path: Path) -> None:
    rows = (("a", 100), ("b", 300))
    texts = [PROFILED.format(name=name, latency=f"{ms} ms", usd=ms / 1e3, rate=1) for name, ms in rows]
    write(tmp_path, a=texts[0], b=texts[1], fleet="devices: {x: {count: 4, price: {rent: 1 USD/h}}}")
    plan = dovetail.plan(tmp_path / "a.yaml", tmp_path / "b.yaml", fleet=tmp_path / "fleet.yaml")
    took = {entry["piece"]: entry["latency_s"] for entry in plan.placements}
    assert took == {"a/n.run": 0.1, "b/n.run": 0.3}
    calls = {name: entry["usd_per_request"] for name, entry in plan.document["graphs"].items()}
    assert calls["a"] > 0.1
    assert calls["b"] > 0.3


def test_paths_are_relative_to_the_folder_of_all_graphs(tmp_path: Path, data_folder: Path) -> None:
    config = data_folder / "models" / "Qwen--Qwen3-0.6B.json"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_bytes(config.read_bytes())
        text = SUMS.replace("name: sums", f"name: {name}").replace("llama-3.1-8b", "config.json")
        (tmp_path / name / "graph.yaml").write_text(text, encoding="utf-8")
    write(tmp_path, fleet=FLEET)
    plan = dovetail.plan(tmp_path / "a", tmp_path / "b", fleet=tmp_path / "fleet.yaml")
    models = [graph["nodes"]["sum"]["model"] for graph in plan.document["inputs"]["graph"]["graphs"].values()]
    assert models == ["a/config.json", "b/config.json"]


FAULTS = {
    "two graphs are called": (SUMS, SUMS, None),
    "has no rate": (SUMS, SUPPORT.replace("workload: {rate: 2 req/s}\n", ""), None),
    "ask for `energy` and `cost`": (SUMS + "objective: energy\n", SUPPORT + "objective: cost\n", None),
    "different fleets": (SUMS + "fleet: one.yaml\n", SUPPORT + "fleet: other.yaml\n", None),
    "no fleet is given": (SUMS, SUPPORT, None),
    "`workload.batch`": (SUMS, SUPPORT.replace("{rate: 2 req/s}", "{batch: {size: 4}}").partition("slo:")[0], FLEET),
    "`speed`": (SUMS.replace("kind: llm", "kind: llm, speed: 3"), SUPPORT, FLEET),
}


@pytest.mark.parametrize("message", FAULTS)
def test_graphs_that_cannot_share_are_refused_at_their_lines(message: str, tmp_path: Path) -> None:
    first, second, fleet = FAULTS[message]
    write(tmp_path, first=first, second=second, **({"fleet": fleet} if fleet else {}))
    given = tmp_path / "fleet.yaml" if fleet else None
    with pytest.raises(dovetail.InputError) as caught:
        dovetail.plan(tmp_path / "first.yaml", tmp_path / "second.yaml", fleet=given)
    text = str(caught.value)
    assert message in text
    assert "help: " in text or message == "`speed`"


def test_faults_of_all_graphs_are_told_at_once(tmp_path: Path) -> None:
    wrong = [text.replace("kind: llm", "kind: lln") for text in (SUMS, SUPPORT)]
    write(tmp_path, first=wrong[0], second=wrong[1], fleet=FLEET)
    with pytest.raises(dovetail.InputError) as caught:
        dovetail.plan(tmp_path / "first.yaml", tmp_path / "second.yaml", fleet=tmp_path / "fleet.yaml")
    assert str(caught.value).count("`lln`") == 2


@pytest.mark.parametrize(("suffix", "sizes"), [(".onnx", {}), (".yaml", {"batch": 1})])
def test_networks_and_sizes_beside_graphs_are_refused(suffix: str, sizes: dict[str, int], tmp_path: Path) -> None:
    files = [tmp_path / f"first{suffix}", tmp_path / "second.yaml"]
    with pytest.raises(dovetail.InputError, match="beside"):
        dovetail.plan(*files, fleet=tmp_path / "fleet.yaml", sizes=sizes)


def test_a_conflict_of_one_graph_is_underlined_in_its_file(tmp_path: Path) -> None:
    tight = SUMS.replace("end_to_end: 20 s", "end_to_end: 1 ms")
    write(tmp_path, support=SUPPORT, sums=tight, fleet=FLEET)
    with pytest.raises(dovetail.Infeasible) as caught:
        dovetail.plan(tmp_path / "support.yaml", tmp_path / "sums.yaml", fleet=tmp_path / "fleet.yaml")
    assert caught.value.conflict == ("slo.end_to_end[sums]",)
    assert "sums.yaml:7" in str(caught.value)


def test_a_document_whose_graphs_have_other_names_is_refused(both: dovetail.Plan) -> None:
    document = parse(both.to_json())["inputs"]["graph"]
    document["graphs"]["other"] = document["graphs"].pop("sums")
    with pytest.raises(dovetail.InputError, match="calls the graph `sums` `other`"):
        parse_graph(document)
    for graphs in ({}, [], {"sums": 3}):
        with pytest.raises(dovetail.InputError):
            parse_graph({**document, "graphs": graphs})


def test_each_graphs_inputs_can_be_off(both: dovetail.Plan) -> None:
    graph = both.document["inputs"]["graph"]
    changes = {name: change for name, _, change in graph_inputs(graph)}
    more = changes["sums/workload.rate"](graph, 2.0)
    members = {m.name: m.share for m in members_of(graph_of(parse_graph(more).module))}
    assert members == {"support": 0.5, "sums": 0.5}
    assert "support/find.latency" in changes


def test_a_plan_that_runs_is_replaced_by_one_of_the_same_graphs(both: dovetail.Plan, tmp_path: Path) -> None:
    write(tmp_path, support=SUPPORT, sums=SUMS, fleet=FLEET, plan=both.to_json())
    files = [tmp_path / "support.yaml", tmp_path / "sums.yaml"]
    again = dovetail.plan(*files, fleet=tmp_path / "fleet.yaml", previous=both)
    assert again.cost == both.cost
    assert again.pools == both.pools


def test_pairs_of_kv_transfers_are_each_graphs_own(tmp_path: Path) -> None:
    graph = """
version: 1
name: {name}
nodes: {{think: {{kind: llm, prompt_tokens: 100, output_tokens: 10}}}}
workload: {{rate: 1 req/s}}
profile:
  x: {{prefill: {{latency: 10 ms, usd_per_call: 0}}, decode: {{latency: 900 ms, usd_per_call: 1}}}}
  y: {{prefill: {{latency: 10 ms, usd_per_call: 1}}, decode: {{latency: 900 ms, usd_per_call: 0}}}}
kv_transfer: {pairs}
"""
    pairs = "[{from: x, to: y, latency: 1 ms}]"
    fleet = "devices: {x: {count: 4, price: {rent: 1 USD/h}}, y: {count: 4, price: {rent: 1 USD/h}}}"
    write(tmp_path, a=graph.format(name="a", pairs=pairs), b=graph.format(name="b", pairs="[]"), fleet=fleet)
    plan = dovetail.plan(tmp_path / "a.yaml", tmp_path / "b.yaml", fleet=tmp_path / "fleet.yaml")
    at = {entry["piece"]: entry["device"] for entry in plan.placements}
    assert (at["a/think.prefill"], at["a/think.decode"]) == ("x", "y")
    assert at["b/think.prefill"] == at["b/think.decode"]


def test_shares_of_requests_hold_whatever_the_rates(tmp_path: Path) -> None:
    for rates in itertools.combinations((0.001, 1.0, 900.0), 2):
        texts = [SUMS.replace("1 req/s", f"{rate} req/s").replace("sums", f"g{i}") for i, rate in enumerate(rates)]
        write(tmp_path, a=texts[0], b=texts[1], fleet=FLEET.replace("count: 8", "count: 999"))
        plan = dovetail.plan(tmp_path / "a.yaml", tmp_path / "b.yaml", fleet=tmp_path / "fleet.yaml")
        stated = [graph["rate_per_s"] for graph in plan.document["graphs"].values()]
        assert stated == pytest.approx(list(rates))
