"""Budgets change no plan, nothing of what binds, and no verdict: they leave out what is too dear, and are bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search import budgets as budgeting
from dovetail.planner.placement.search import solve as solving
from dovetail.planner.placement.search.budgets import budgets
from dovetail.planner.placement.search.cutoff import affordable
from dovetail.planner.placement.search.presolve import without_hopeless
from dovetail.planner.placement.search.solve import solve

Make = Callable[[int], PlacementProblem]


@pytest.fixture
def few_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgeting, "FEW_OPTIONS", 2)
    monkeypatch.setattr(budgeting, "TIMES", 2)


def problems(make: Make) -> list[PlacementProblem]:
    return [replace(make(seed), objective="cost") for seed in range(500, 540)]


def whole(p: PlacementProblem, monkeypatch: pytest.MonkeyPatch) -> solving.PlacementResult:
    with monkeypatch.context() as patch:
        patch.setattr(solving, "budgets", lambda _: ())
        return solve(p)


@pytest.mark.usefixtures("few_are_two")
@pytest.mark.parametrize("most_cuts", [0, 1, 20])
def test_plans_under_budgets_are_those_of_the_whole_problem(
    random_problem: Make, monkeypatch: pytest.MonkeyPatch, most_cuts: int
) -> None:
    monkeypatch.setattr(solving, "FEW_CUTS", most_cuts)
    found = 0
    for p in problems(random_problem):
        under, expected = solve(p), whole(p, monkeypatch)
        assert (under.status, under.binding, under.conflict) == (expected.status, expected.binding, expected.conflict)
        assert under.placements == expected.placements
        found += under.status == "optimal" and len(list(budgets(p))) > 0
    assert found > 10


@pytest.mark.usefixtures("few_are_two")
def test_each_budget_leaves_so_many_options(random_problem: Make) -> None:
    seen = 0
    for p in problems(random_problem):
        for number, budget in enumerate(budgets(p)):
            left = affordable(without_hopeless(p), budget * (1 + 1e-9))
            assert len(left) > 2 * 2**number
            seen += 1
    assert seen > 15


def test_small_problems_and_other_objectives_have_none(random_problem: Make) -> None:
    p = random_problem(0)
    assert list(budgets(p)) == []
    assert list(budgets(replace(p, objective="energy"))) == []
