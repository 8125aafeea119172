"""Frontiers of large graphs, found at prices of time, against those of the whole problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drawn_chains import posed

from dovetail.frontier_driver import pareto
from dovetail.planner.answers import frontier as answers
from dovetail.planner.check import check_plan
from dovetail.planner.parts import large
from dovetail.planner.parts.frontier import PricedFrontier
from dovetail.planner.parts.prices.critical import visits_waited_for
from dovetail.planner.placement.problem import Scenario, Step
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.frontier import Frontier
from dovetail.planner.placement.times.sections import cut
from dovetail.planner.posing.to_problem import frame

CLOSE = 2e-3
"""Means stand on a grid."""


@pytest.mark.parametrize(("seeds", "least"), [((1, 5, 7, 9), 3), pytest.param(range(60), 30, marks=pytest.mark.slow)])
def test_points_at_prices_are_plans_and_their_bounds_hold(seeds: range, least: int) -> None:
    """(75) No plan of the whole problem that is as fast costs less than the bound; none is found that cannot be."""
    compared, proved = 0, 0
    for seed in seeds:
        it = posed(seed)
        exact = Frontier(it.problem, ("cost", "latency"), Clock(60.0), most_points=40)
        exact.run()
        priced = PricedFrontier(it.setting, frame(it.setting, it.works, "cost"), Clock(None))
        assert priced.run() or not exact.points, seed
        if not exact.complete:
            continue
        for point in priced.points:
            cost, latency = point.values
            best = min(p.values[0] for p in exact.points if p.values[1] <= latency * (1 + CLOSE))
            assert cost >= best * (1 - 1e-6), seed
            if all(abs(p.values[1] - latency) > CLOSE * latency for p in exact.points if p.values[0] < cost):
                assert (point.result.bound or 0.0) <= best * (1 + 1e-6), seed
            compared += 1
            proved += point.result.status == "optimal"
    assert compared >= least
    assert proved > 0


def step(name: str, *after: tuple[str, bool], visit: int = 1) -> Step:
    return Step(f"{name}@{visit}", (f"{name}.run",), visit, after)


def test_visits_that_are_not_waited_for_each_time_count_for_less() -> None:
    """The second visit of `a` is beside the longer `b`, and `d` starts at the first output of `c`."""
    steps = (step("a"), step("a", ("a@1", False), visit=2), step("b", ("a@1", False)))
    steps += (step("c", ("a@2", False), ("b@1", False)), step("d", ("c@1", True)))
    ways = cut([Scenario(1.0, steps, ("d@1",))], "end_to_end")
    reached = {"a": (1.0, 1.0), "b": (1.0,), "c": (1.0,), "d": (1.0,)}
    found = visits_waited_for(reached, ways, {"a": 1.0, "b": 5.0, "c": 2.0, "d": 3.0})
    assert found == pytest.approx({"b": 1.0, "d": 1.0})
    found = visits_waited_for(reached, ways, {"a": 1.0, "b": 0.5, "c": 2.0, "d": 3.0})
    assert found == pytest.approx({"a": 2.0, "d": 1.0})


def test_command_gives_points_with_gaps_of_a_large_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", 1)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the whole problem is written down")

    monkeypatch.setattr(answers, "Frontier", never)
    files = {"graph.yaml": GRAPH, "fleet.yaml": FLEET}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = pareto(tmp_path / "graph.yaml")
    values = [point["values"] for point in found.found.document()["points"]]
    assert len(values) >= 3
    assert not found.complete
    assert values == sorted(values)
    assert [latency for _, latency in values] == sorted((latency for _, latency in values), reverse=True)
    for plan in found.plans:
        assert check_plan(plan.document) == []
        assert plan.document["objective"]["bound"] <= plan.document["objective"]["value"]


GRAPH = """
version: 1
name: pair
fleet: fleet.yaml
nodes:
  ask: {kind: llm, model: qwen3-8b, precision: fp8, prompt_tokens: 1000, output_tokens: 150}
  look: {kind: tool, latency: {mean: 100 ms, p95: 300 ms}}
  think: {kind: llm, model: qwen3-8b, precision: fp8, prompt_tokens: 2000, output_tokens: 300}
edges: [ask -> look, look -> think]
workload: {rate: 5 req/s}
slo: {end_to_end: 60 s}
"""
FLEET = """
devices:
  l4: {model: l4, count: 0..8, price: {rent: 0.7 USD/h}}
  h100: {model: h100-sxm, count: 0..8, price: {rent: 3 USD/h}}
  host: {model: epyc-9554, price: {rent: 1 USD/h}}
"""
