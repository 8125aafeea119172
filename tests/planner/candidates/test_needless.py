"""What is left out before pools are written down changes no optimum: held against the problems with all of it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.placement.search.solve import objective_within
from dovetail.planner.posing.pose import Posed, pose
from dovetail.planner.posing.to_problem import to_problem

Json = dict[str, Any]


def node(r: random.Random) -> Json:
    tokens = r.choice([300, {"mean": 400, "p95": 900}])
    return {"kind": "llm", "model": "llama-3.2-3b", "prompt_tokens": tokens, "output_tokens": r.choice([20, 80])}


def posed(seed: int, calls: tuple[int, ...] = (1, 2)) -> Posed:
    """So many calls of one model, one after the other, on one or two kinds of devices."""
    r = random.Random(seed)
    nodes = {name: node(r) for name in ("a", "b", "c")[: r.choice(calls)]}
    slo = {"ttft": f"{r.choice([0.1, 0.4])} s", "end_to_end": f"{r.choice([2, 6])} s"}
    graph: Json = {"version": 1, "nodes": nodes, "edges": ["a -> b", "b -> c"][: len(nodes) - 1], "slo": slo}
    if r.random() < 0.5:
        graph["slo"] = {**slo, "percentile": 95}
    if r.random() < 0.8:
        graph["workload"] = {"rate": f"{r.choice([0.5, 2, 8])} req/s"}
        graph["objective"] = r.choice(["cost", "cost", "energy"])
    if r.random() < 0.2:
        graph["objective"] = "latency"
    devices = {
        name: {
            "kind": "npu",
            "memory": f"{r.choice([6, 12, 24])} GB",
            "bandwidth": f"{r.choice([0.5, 1, 2])} TB/s",
            "flops": {"bf16": f"{r.choice([50, 200])} TFLOP/s"},
            "chassis": r.choice([2, 4]),
            "count": 8,
            "idle": "50 W",
            "tdp": "300 W",
            "price": {"rent": f"{r.uniform(0.5, 2):.2f} USD/h", "energy": "extra"},
        }
        for name in ("x", "y")[: r.choice([1, 2])]
    }
    fleet: Json = {"devices": devices}
    if "workload" in graph and r.random() < 0.2:
        fleet["survive"] = {"replicas": 1}
    return pose(parse_graph(graph), parse_fleet(fleet), Path())


def test_pruned_problems_have_the_optimum_of_those_with_all() -> None:
    pruned = everything = solved = 0
    for seed in range(24):
        it = posed(seed)
        whole = to_problem(replace(it.setting, keeps_all=True), it.works, it.problem.objective)
        few, all_ = objective_within(it.problem, None), objective_within(whole, None)
        assert few == (None if all_ is None else pytest.approx(all_, rel=1e-6, abs=1e-12)), seed
        pruned, everything = pruned + len(it.problem.options), everything + len(whole.options)
        solved += all_ is not None
    assert solved >= 15
    assert pruned < 0.6 * everything


@pytest.mark.slow
def test_classes_of_waiting_pruned_by_another_way_change_no_optimum() -> None:
    pruned = everything = solved = 0
    for seed in range(8):
        it = posed(seed, calls=(3,))
        if it.problem.rate_per_s is None or it.setting.fleet.spare_replicas:
            continue
        whole = to_problem(replace(it.setting, keeps_all=True), it.works, it.problem.objective)
        few, all_ = objective_within(it.problem, None), objective_within(whole, None)
        assert few == (None if all_ is None else pytest.approx(all_, rel=1e-6, abs=1e-12)), seed
        ours, theirs = (
            sum(g.id.endswith(("/tight", "/normal", "/loose")) for g in p.pools) for p in (it.problem, whole)
        )
        pruned, everything, solved = pruned + ours, everything + theirs, solved + (all_ is not None)
    assert solved >= 3
    assert pruned < 0.8 * everything
