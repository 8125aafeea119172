"""Counting nodes that nothing tells apart finds what placing them one by one finds, and bounds stay below it."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.parts.alone.alike import alike_nodes, is_countable
from dovetail.planner.parts.alone.counted import Counted
from dovetail.planner.parts.alone.part import Part, parts_of
from dovetail.planner.parts.alone.simple import simple_plan
from dovetail.planner.parts.alone.whole_devices import least_usd
from dovetail.planner.placement.evaluate import Books
from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.engine import run
from dovetail.planner.placement.search.presolve import presolve
from dovetail.planner.placement.search.solve import best_plan
from dovetail.planner.posing.pose import pose
from dovetail.planner.posing.to_problem import frame

Json = dict[str, Any]
ENOUGH_USD = 1e6


def drawn(seed: int) -> list[Part]:
    """Parts of a graph that calls one model, some calls being alike, with alike tools behind them."""
    r = random.Random(seed)
    figures = [{"prompt_tokens": r.choice([300, 1500]), "output_tokens": r.choice([30, 150])} for _ in range(2)]
    nodes: Json = {}
    for k in range(r.randint(2, 4)):
        nodes[f"call{k}"] = {"kind": "llm", "model": "llama-3.2-3b", **r.choice(figures)}
        nodes[f"tool{k}"] = {"kind": "tool", "latency": "200 ms", "cpus": r.choice([8, 8, 20]), "memory": "80 GiB"}
    names = list(nodes)
    slo = {"ttft": "1 s"} if r.random() < 0.5 else {"tbt": "50 ms"}
    graph = {
        "version": 1,
        "nodes": nodes,
        "edges": [f"{a} -> {b}" for a, b in pairwise(names)],
        "workload": {"rate": f"{r.choice([2, 8, 20])} req/s"},
        "slo": slo,
        "objective": "cost",
    }
    devices: Json = {
        name: {
            "kind": "npu",
            "memory": f"{r.choice([9, 12, 24])} GB",
            "bandwidth": f"{r.choice([0.5, 1, 2])} TB/s",
            "flops": {"bf16": f"{r.choice([50, 200])} TFLOP/s"},
            "count": f"0..{r.choice([2, 4, 12])}",
            "price": {"rent": f"{r.uniform(0.5, 3):.2f} USD/h"},
            **r.choice([{}, {"owned": 1}]),
        }
        for name in ("x", "y")
    }
    devices["host"] = {"model": "epyc-9554", "price": {"rent": "2 USD/h"}, "memory": f"{r.choice([192, 768])} GiB"}
    it = pose(parse_graph(graph), parse_fleet({"devices": devices, "site": {}}), Path())
    return parts_of(it.setting, frame(it.setting, it.works, "cost"))


def problem_of(part: Part) -> PlacementProblem:
    return presolve(part.problem(part.candidates(ENOUGH_USD)))


def usd(p: PlacementProblem, plan: dict[str, str]) -> float:
    return Books(p).account(plan).total


@pytest.mark.parametrize("seed", range(20))
def test_counting_and_placing_one_by_one_cost_the_same(seed: int) -> None:
    for part in drawn(seed):
        p = problem_of(part)
        assert is_countable(p)
        whole = best_plan(p, 60.0)
        counted = Counted(p)
        counted.minimise(float("inf"))
        out = run(counted.m, counted, "highs", 60.0)
        assert (out.status == "infeasible") == (whole.status == "infeasible")
        most = {d.name: d.max_count for d in p.devices}
        assert part.ways is not None
        bound = least_usd(part.ways.survey, most, "highs", Clock(None))
        if whole.objective is None:
            continue
        assert usd(p, out.plans[0]) == pytest.approx(whole.objective, rel=1e-6)
        assert best_plan(only(p, out.plans[0]), 10.0).objective == pytest.approx(whole.objective, rel=1e-6)
        assert bound <= whole.objective * (1 + 1e-9)
        if simple := simple_plan(p, {}):
            assert whole.objective <= usd(p, simple) * (1 + 1e-9)
            assert best_plan(only(p, simple), 10.0).objective == pytest.approx(usd(p, simple), rel=1e-6)


def only(p: PlacementProblem, plan: dict[str, str]) -> PlacementProblem:
    """The problem with the options of a plan alone."""
    return replace(p, options=tuple(o for o in p.options if plan[o.piece] == o.pool))


def test_some_nodes_are_alike_and_the_dearest_second_gets_the_fastest_place() -> None:
    part = next(
        part
        for seed in range(50)
        for part in drawn(seed)[:1]
        if len(alike_nodes(problem_of(part), {})) < len(part.ways.nodes if part.ways else ())
    )
    p = problem_of(part)
    several = next(kind for kind in alike_nodes(p, {}) if len(kind.nodes) > 1)
    dear = several.nodes[-1]
    counted = Counted(p, {dear: 1.0})
    assert next(kind for kind in counted.kinds if dear in kind.nodes).nodes[0] == dear


def test_whole_devices_are_more_than_shares_of_them() -> None:
    """Where a second device has to be begun for a little more load the bound says so, (61) does not."""
    parts = [part for seed in range(20) for part in drawn(seed) if part.ways is not None]
    rises = 0
    for part in parts:
        assert part.ways is not None
        most = {d.name: d.max_count for d in part.bare.devices}
        bound = least_usd(part.ways.survey, most, "highs", Clock(None))
        shares = float(part.ways.survey.least_usd.sum())
        assert bound >= shares * (1 - 1e-6)
        rises += bound > shares * 1.05
    assert rises > 10
