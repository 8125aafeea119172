"""First plans of large problems: found on few of the options, and no reason for another optimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search import quick
from dovetail.planner.placement.search import solve as solving
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.cutoff import least_cost
from dovetail.planner.placement.search.rounds import Search
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.placement.times.judge import Judge

from .test_solve import chain

Make = Callable[[int], PlacementProblem]


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "MANY_OPTIONS", 0)
    monkeypatch.setattr(solving, "SOME_OPTIONS", 0)


def copies(p: PlacementProblem, count: int) -> PlacementProblem:
    """The problem with `count` further pools of each kind, each a little dearer than the one before."""
    pools, options = list(p.pools), list(p.options)
    for k in range(1, count + 1):
        pools += [replace(g, id=f"{g.id}.{k}") for g in p.pools]
        options += [replace(o, pool=f"{o.pool}.{k}", usd_per_request=o.usd_per_request + 1e-4 * k) for o in p.options]
    return replace(p, pools=tuple(pools), options=tuple(options))


def test_small_problems_are_solved_whole(random_problem: Make) -> None:
    assert quick.few_options(random_problem(0), solving.SOME_OPTIONS) is None


@pytest.mark.usefixtures("all_are_large")
def test_few_options_are_some_of_the_problem_and_hold_its_cheapest_calls(random_problem: Make) -> None:
    p = replace(copies(random_problem(3), 20), rate_per_s=None)
    few = quick.few_options(p, solving.MANY_OPTIONS)
    assert few is not None
    assert set(few.options) < set(p.options)
    assert {g.id for g in few.pools} == {o.pool for o in few.options}
    assert {o.piece for o in few.options} == {o.piece for o in p.options}
    for q in p.pieces:
        cheapest = min(o.usd_per_request for o in p.options if o.piece == q.id)
        assert min(o.usd_per_request for o in few.options if o.piece == q.id) == cheapest


def test_start_from_a_first_plan_changes_no_optimum(random_problem: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [copies(random_problem(seed), 2) for seed in range(60, 90)]
    before = [solve(p) for p in problems]
    monkeypatch.setattr(solving, "MANY_OPTIONS", 0)
    monkeypatch.setattr(solving, "SOME_OPTIONS", 0)
    after = [solve(p) for p in problems]
    assert [r.status for r in after] == [r.status for r in before]
    costs, expected = ([-1.0 if r.objective is None else r.objective for r in found] for found in (after, before))
    assert costs == pytest.approx(expected, rel=1e-6)
    assert {r.status for r in after} == {"optimal", "infeasible"}


def test_no_plan_costs_less_than_the_least_cost(random_problem: Make) -> None:
    found = [(solve(p), p) for p in map(random_problem, range(100, 130)) if p.objective == "cost"]
    costs = [(r.objective, least_cost(p)) for r, p in found if r.objective is not None]
    assert costs
    assert all(least <= cost * (1 + 1e-9) for cost, least in costs)


@pytest.mark.usefixtures("all_are_large")
def test_first_plan_stands_where_the_whole_problem_takes_too_long(
    random_problem: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = next(q for q in map(random_problem, range(100)) if q.objective == "cost" and solve(q).status == "optimal")
    _, first = solving._first_plan(p, "highs", Clock(None), None)
    assert first.plan is not None
    monkeypatch.setattr(solving, "_first_plan", lambda *_: (p, first))
    result = solve(p, time_limit_s=0.0)
    assert result.objective == first.value
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound <= result.objective


def test_hundreds_of_options_get_a_first_plan_where_percentiles_are_bounded() -> None:
    p = chain(4, 150, seed=3, percentile=0.95)
    _, first = solving._first_plan(p, "highs", Clock(None), None)
    assert first.plan is not None
    assert Judge(p, p.options).broken(first.plan) is None
    means = replace(p, bounds=tuple(replace(b, percentile=None) for b in p.bounds))
    assert solving._first_plan(means, "highs", Clock(None), None)[1].plan is None


def test_search_without_time_finds_nothing_and_says_so(random_problem: Make) -> None:
    assert solving._has_plan(lambda: Search(random_problem(0), "highs", Clock(0.0))) is None
