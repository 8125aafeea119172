"""Priorities in shared pools: every plan tried, what they change, and whom a fleet that is too small leaves out."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backends.manifests.emit import emit_manifests
from dovetail.ir.read.fleet import parse_fleet
from dovetail.planner.check import check_plan
from dovetail.planner.conflicts.leave_out import left_out

from .random_graphs import instance, least, least_of_all

Json = dict[str, Any]
FLEET = "devices: {x: {count: %d, price: {rent: 1 USD/h}}}"
GRAPH = """
version: 1
name: %(name)s
priority: %(priority)d
nodes: {n: {kind: model, model: some-network, profile: {x: {run: {latency: 200 ms}}}}}
workload: {rate: %(rate)g req/s}
slo: {end_to_end: %(limit)d ms}
"""


def files(folder: Path, count: int, **graphs: tuple[int, float, int]) -> dict[str, Path]:
    """Files of graphs, given their priority, rate and bound, and of a fleet of that many devices."""
    for name, (priority, rate, limit) in graphs.items():
        text = GRAPH % {"name": name, "priority": priority, "rate": rate, "limit": limit}
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "fleet.yaml").write_text(FLEET % count, encoding="utf-8")
    return {name: folder / f"{name}.yaml" for name in (*graphs, "fleet")}


def tight(seed: int) -> tuple[Json, Json, Json]:
    """Two graphs on few devices of one kind, where one can hardly wait: with its priority, and without."""
    r = random.Random(seed)
    graphs, fleet = instance(seed)
    load, few = r.randint(1, 3) - r.uniform(0.1, 0.4), r.uniform(0.1, 0.4)
    for name, graph in graphs.items():
        latency = r.randint(150, 200)
        graph["nodes"]["n"]["profile"] = {"x": {"run": {"latency": f"{latency} ms"}}}
        graph["workload"]["rate"] = f"{load * (few if name == 'a' else 1 - few) / latency * 1e3:.4f} req/s"
        more = r.uniform(1.3, 2.5) if name == "a" else r.uniform(12, 40)
        graph["slo"] = {"end_to_end": f"{int(latency * more) + 1} ms"}
    ranked = {name: {**graph, "priority": 3 if name == "a" else 1} for name, graph in graphs.items()}
    return ranked, graphs, {"devices": {"x": {**fleet["devices"]["x"], "count": 4}}}


@pytest.mark.parametrize("batch", range(4))
def test_the_best_plan_with_priorities_is_the_best_of_all_plans(batch: int) -> None:
    changed = 0
    for seed in range(batch, 60, 4):
        ranked, alike, fleet = tight(seed)
        best, expected = least(ranked, fleet), least_of_all(ranked, fleet)
        assert best == (pytest.approx(expected) if expected is not None else None), seed
        without = least_of_all(alike, fleet)
        changed += best != (pytest.approx(without) if without is not None else None)
    assert changed >= 8


def test_the_graph_that_cannot_wait_goes_first(tmp_path: Path) -> None:
    alike = files(tmp_path, 2, a=(0, 3, 400), b=(0, 4, 5000))
    with_two = dovetail.plan(alike["a"], alike["b"], fleet=alike["fleet"])
    ranked = files(tmp_path, 2, a=(1, 3, 300), b=(0, 4, 5000))
    plan = dovetail.plan(ranked["a"], ranked["b"], fleet=ranked["fleet"])
    assert with_two.cost == plan.cost
    (pool,) = plan.pools
    assert [row["priority"] for row in pool["waits"]] == [1, 0]
    first, last = (row["probability"] * row["mean_s"] for row in pool["waits"])
    assert first < pool["wait"]["probability"] * pool["wait"]["mean_s"] < last
    assert plan.document["graphs"]["a"]["latency_s"]["end_to_end"]["mean"] == pytest.approx(0.2 + first, rel=1e-3)


@pytest.mark.parametrize(("priority", "is_told"), [(0, False), (3, True)])
def test_manifests_tell_vllm_that_priorities_differ(priority: int, is_told: bool, tmp_path: Path) -> None:
    node = "{kind: llm, model: llama-3.1-8b, prompt_tokens: 500, output_tokens: 50}"
    for name, own in (("a", priority), ("b", 0)):
        text = f"version: 1\nname: {name}\npriority: {own}\nnodes: {{n: {node}}}\nworkload: {{rate: 0.1 req/s}}\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "fleet.yaml").write_text("devices: {h100: {model: h100-sxm, count: 1}}", encoding="utf-8")
    plan = dovetail.plan(tmp_path / "a.yaml", tmp_path / "b.yaml", fleet=tmp_path / "fleet.yaml")
    text = "".join(str(file.content) for file in emit_manifests(plan.document))
    assert ("--scheduling-policy" in text) == is_told


def test_graphs_of_one_priority_wait_in_one_line(tmp_path: Path) -> None:
    def plan(priority: int) -> dovetail.Plan:
        made = files(tmp_path, 2, a=(priority, 3, 900), b=(priority, 4, 5000))
        return dovetail.plan(made["a"], made["b"], fleet=made["fleet"])

    zero, seven = plan(0), plan(7)
    assert "waits" not in seven.pools[0]
    assert (zero.pools, zero.latency, zero.document["graphs"]) == (seven.pools, seven.latency, seven.document["graphs"])


def test_a_node_may_go_before_the_others_of_its_graph(tmp_path: Path) -> None:
    text = """
version: 1
nodes:
  first: {kind: model, model: some-network, priority: 9, profile: {x: {run: {latency: 100 ms}}}}
  then: {kind: model, model: some-network, profile: {x: {run: {latency: 100 ms}}}}
edges: [first -> then]
workload: {rate: 3 req/s}
priority: 2
"""
    (tmp_path / "graph.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "fleet.yaml").write_text(FLEET % 1, encoding="utf-8")
    plan = dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")
    (pool,) = plan.pools
    assert [row["priority"] for row in pool["waits"]] == [9, 2]


@pytest.mark.parametrize(("row", "key", "value"), [(0, "mean_s", 1e-4), (1, "probability", 0.9), (0, "priority", 4)])
def test_the_validator_finds_waits_that_are_wrong(row: int, key: str, value: float, tmp_path: Path) -> None:
    made = files(tmp_path, 2, a=(1, 3, 900), b=(0, 4, 5000))
    document = dovetail.plan(made["a"], made["b"], fleet=made["fleet"]).document
    assert check_plan(document) == []
    document["pools"][0]["waits"][row][key] = value
    assert "check.wait" in {fault.id for fault in check_plan(document)}


def documents(folder: Path, made: dict[str, Path]) -> tuple[Json, Any]:
    import yaml

    names = [name for name in made if name != "fleet"]
    graphs = {name: yaml.safe_load(made[name].read_text(encoding="utf-8")) for name in names}
    fleet = parse_fleet(yaml.safe_load(made["fleet"].read_text(encoding="utf-8")))
    return {"version": 1, "name": "all", "graphs": graphs}, fleet


@pytest.mark.parametrize("seed", range(12))
def test_the_graphs_left_out_are_the_last_in_order_that_do_not_fit(seed: int, tmp_path: Path) -> None:
    r = random.Random(seed)
    rows = {name: (r.randint(0, 2), r.uniform(1, 9), 100_000 if r.random() < 0.8 else 1) for name in ("a", "b", "c")}
    document, fleet = documents(tmp_path, files(tmp_path, r.randint(1, 3), **rows))
    plain = {"devices": {"x": {"count": fleet.document["devices"]["x"]["count"], "price": {"rent": "1 USD/h"}}}}

    def fits(names: tuple[str, ...]) -> bool:
        return bool(names) and least({name: document["graphs"][name] for name in names}, plain) is not None

    # Of all sets that fit: the one that has the most of the highest priority, then of the next, in the order given.
    order = sorted(rows, key=lambda name: -rows[name][0])
    sets = [some for size in (1, 2, 3) for some in itertools.combinations(rows, size) if fits(some)]
    best = max(sets, key=lambda some: [name in some for name in order], default=None)
    found = left_out(document, fleet, tmp_path)
    expected = None if best is None or len(best) == len(rows) else tuple(name for name in rows if name not in best)
    assert (found.graphs if found else None) == expected


def test_a_fleet_that_is_too_small_says_whom_to_leave_out(tmp_path: Path) -> None:
    made = files(tmp_path, 2, a=(5, 6, 5000), b=(0, 3, 5000), c=(1, 3, 5000))
    with pytest.raises(dovetail.Infeasible) as caught:
        dovetail.plan(made["a"], made["b"], made["c"], fleet=made["fleet"])
    assert "without `b` the other graphs have a plan at 2 USD/h" in str(caught.value)
    document = caught.value.document or {}
    assert document["leave_out"] == ["b"]
    assert check_plan(document) == []


@pytest.mark.parametrize("value", ["-1", "1.5", "1001", "high", "true"])
@pytest.mark.parametrize("where", ["graph", "node"])
def test_priorities_are_whole_numbers(where: str, value: str, tmp_path: Path) -> None:
    text = GRAPH % {"name": "a", "priority": 1, "rate": 1, "limit": 900}
    if where == "node":
        text = text.replace("{kind: model,", f"{{kind: model, priority: {value},")
    else:
        text = text.replace("priority: 1", f"priority: {value}")
    (tmp_path / "graph.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "fleet.yaml").write_text(FLEET % 1, encoding="utf-8")
    with pytest.raises(dovetail.InputError, match="priority"):
        dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")
