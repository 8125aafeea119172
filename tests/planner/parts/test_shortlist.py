"""What plans of so much money may take of a large graph: no plan is lost, and nothing is there that is no candidate."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drawn_chains import posed

from dovetail.driver import plan_document_of
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.answers.explanation import Explanation
from dovetail.planner.parts import large
from dovetail.planner.parts.shortlist import ByWays
from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.shortlist import Written
from dovetail.planner.placement.search.solve import best_plan, solve
from dovetail.planner.posing.pose import Posed, pose
from dovetail.planner.posing.to_problem import frame


def by_ways(it: Posed) -> ByWays:
    return ByWays.of(it.setting, frame(it.setting, it.works, "cost"), Clock(None))


def on_device(p: PlacementProblem, device: str) -> PlacementProblem:
    """Plans with something on a device."""
    own = {g.id for g in p.pools if g.device == device}
    return replace(p, one_of=(frozenset((o.piece, o.pool) for o in p.options if o.pool in own),))


def keys(p: PlacementProblem) -> set[tuple[str, str]]:
    return {(o.piece, o.pool) for o in p.options}


def test_without_a_limit_all_pools_are_there() -> None:
    for seed in range(6):
        it = posed(seed)
        found, whole = by_ways(it).within(math.inf), it.problem
        assert set(found.pools) == set(whole.pools)
        assert set(found.options) == set(whole.options)
        assert set(found.transfers) == set(whole.transfers)


@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(8, 80), marks=pytest.mark.slow)])
def test_best_plan_with_each_device_is_on_the_list_for_its_cost(seeds: range) -> None:
    """(74) As is the best plan of all, and neither costs less than what is said to be the least."""
    left, whole = 0, 0
    for seed in seeds:
        it = posed(seed)
        shortlist = by_ways(it)
        for device in ("", "x", "y", "z", "host", "api"):
            p = on_device(it.problem, device) if device else it.problem
            best = best_plan(p, 20.0) if keys(p) else None
            if best is None or best.status not in ("optimal", "infeasible"):
                continue
            if best.objective is None:
                continue
            assert shortlist.least_usd(device) <= best.objective * (1 + 1e-9), (seed, device)
            assert Written(it.problem).least_usd(device) <= best.objective * (1 + 1e-9), (seed, device)
            near = shortlist.within(best.objective * (1 + 1e-6), device)
            found = best_plan(on_device(near, device) if device else near, None)
            assert found.objective == pytest.approx(best.objective, rel=2e-6), (seed, device)
            left, whole = left + len(near.options), whole + len(it.problem.options)
    assert 0 < left < 0.6 * whole


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 40), marks=pytest.mark.slow)])
def test_explanations_by_parts_say_what_those_of_the_whole_do(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    explained = 0
    for seed in seeds:
        it = posed(seed)
        result = solve(it.problem, time_limit_s=20.0, with_latency=False)
        if result.status != "optimal":
            continue
        document = plan_document_of(it, result, ())
        whole = Explanation(document).run()
        with monkeypatch.context() as patch:
            patch.setattr(large, "LARGE", 1)
            parts = Explanation(document)
            assert isinstance(parts.shortlist, ByWays)
            found = parts.run()
        assert figures(found) == figures(whole), seed
        explained += 1
    assert explained > len(seeds) / 2


def test_hardly_any_pools_of_twelve_nodes_on_thirty_kinds_of_device_are_written_down() -> None:
    """Of 20,278 options, for plans that cost a fifth more than the best, and for those on the dearest device."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
    from placement import fleet, workflow

    it = by_ways(pose(parse_graph(workflow(12, 2)), parse_fleet(fleet(2)), Path()))
    assert len(it.within(1.2 * 1.9).options) < 400
    dear = it.least_usd("t4")
    assert dear > 100.0
    near = it.within(1.01 * dear, "t4")
    assert {"t4"} < {g.device for g in near.pools}
    assert len(near.options) < 1000


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """All that equally good plans have in common."""
    next_best = [pytest.approx(row["extra"], abs=1e-5) for row in found["next_best"]]
    unused = {
        row["device"]: (None if row["extra"] is None else pytest.approx(row["extra"], abs=1e-5), sorted(row["against"]))
        for row in found["unused"]
    }
    same = ("value", "unit", "missing", "binding")
    return {"next_best": next_best, "unused": unused, **{key: found[key] for key in same}}
