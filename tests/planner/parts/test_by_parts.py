"""Plans made part by part are as good as those of the whole problem, which knows of no parts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from drawn_chains import MODELS, Json, device, language_model, posed

from dovetail.backends import summary
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.parts import large
from dovetail.planner.parts import solve as by_parts
from dovetail.planner.parts.solve import ByParts
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.rounds import OPTIMAL_GAP
from dovetail.planner.placement.search.solve import best_plan, solve
from dovetail.planner.posing.pose import pose
from dovetail.planner.posing.to_problem import frame


@pytest.mark.parametrize(("seeds", "least"), [(range(16), 5), pytest.param(range(16, 216), 60, marks=pytest.mark.slow)])
def test_parts_find_the_optimum_of_the_whole(seeds: range, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`least` times their best plans by themselves do not go together."""
    together, planned = [0], 0
    joining = ByParts._together

    def counted(self: ByParts, *given: Any) -> Any:
        together[0] += 1
        return joining(self, *given)

    monkeypatch.setattr(ByParts, "_together", counted)
    monkeypatch.setattr(by_parts, "PART_S", 60.0)
    monkeypatch.setattr(by_parts, "TOGETHER_S", 120.0)
    for seed in seeds:
        it = posed(seed)
        bare = frame(it.setting, it.works, "cost")
        found = ByParts(it.setting, bare, OPTIMAL_GAP, "highs", Clock(None)).solve()
        whole = best_plan(it.problem, 20.0)
        if whole.status not in ("optimal", "infeasible"):
            continue  # the whole takes too long to say
        assert (found is None) == (whole.objective is None), seed
        if found is None or whole.objective is None:
            continue
        planned += 1
        assert found[1].objective == pytest.approx(whole.objective, rel=2e-6), seed
        assert (found[1].bound or 0.0) <= whole.objective * (1 + 2e-6), seed
        assert found[1].status == "optimal", seed
    assert planned > len(seeds) / 2
    assert together[0] >= least


def test_node_without_any_place_is_asked_alone_for_its_conflict() -> None:
    r = random.Random(3)
    nodes: Json = {f"n{k}": language_model(r, MODELS[k % 2]) for k in range(3)}
    nodes["n1"]["slo"] = {"ttft": "1 us"}
    graph: Json = {"version": 1, "nodes": nodes, "edges": ["n0 -> n1", "n1 -> n2"], "workload": {"rate": "2 req/s"}}
    fleet: Json = {"devices": {name: device(r) for name in ("x", "y")}, "site": {"electricity": "0.2 USD/kWh"}}
    it = pose(parse_graph(graph), parse_fleet(fleet), Path())
    found = large.by_parts(it, OPTIMAL_GAP, None, "highs", None)
    assert found is not None
    alone, result = found
    assert (result.status, result.conflict) == ("infeasible", ("slo.ttft[n1]",))
    assert {q.node for q in alone.problem.pieces} == {"n1"}
    assert result.unit.endswith("for `n1` alone")


def test_plan_of_parts_does_not_say_that_nothing_binds() -> None:
    """What binds is not looked for there, and a report says so in place of `no bound and no limit`."""
    it = next(it for it in map(posed, range(20)) if best_plan(it.problem, 20.0).objective)
    found = large.by_parts(it, OPTIMAL_GAP, None, "highs", None)
    assert found is not None
    assert not found[1].binding_complete
    assert solve(it.problem).binding_complete
    plan: Json = {"status": "optimal", "binding": [], "binding_complete": found[1].binding_complete}
    assert summary.binding(plan) == ["not looked for: `dovetail explain` does"]
    plan["binding_complete"] = True
    assert summary.binding(plan) == ["no bound and no limit"]


@pytest.mark.parametrize("hosted", [False, True])
def test_model_that_fits_no_device_is_hosted_or_has_no_place(hosted: bool) -> None:
    large_model: Json = {"kind": "llm", "model": "qwen3-8b", "prompt_tokens": 300, "output_tokens": 30}
    nodes: Json = {"n0": large_model, "n1": large_model | {"model": "llama-3.2-3b"}}
    graph: Json = {"version": 1, "nodes": nodes, "edges": ["n0 -> n1"], "workload": {"rate": "2 req/s"}}
    devices: Json = {"x": device(random.Random(1)) | {"memory": "12 GB", "count": "0..1"}}
    if hosted:
        price = {"input": "0.1 USD/Mtok", "output": "2 USD/Mtok"}
        devices["api"] = {"kind": "api", "models": ["qwen3-8b"], "price": price, "ttft": "400 ms", "tbt": "15 ms"}
    it = pose(parse_graph(graph), parse_fleet({"devices": devices, "site": {"electricity": "0.2 USD/kWh"}}), Path())
    found = large.by_parts(it, OPTIMAL_GAP, None, "highs", None)
    whole = best_plan(it.problem, 20.0)
    assert found is not None
    assert (found[1].status, whole.status) == (("optimal",) * 2 if hosted else ("infeasible",) * 2)
    assert found[1].objective == (pytest.approx(whole.objective) if hosted else None)
    assert found[1].conflict == (() if hosted else ("place[n0]",))
