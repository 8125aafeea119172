"""Conflicts that cannot be made smaller, and names of what costs money."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.planner.placement.problem import PlacementProblem
from dovetail.planner.placement.search.conflict import (
    binding_names,
    constraint_names,
    irreducible_conflict,
    without,
)
from dovetail.planner.placement.search.rounds import Search
from dovetail.planner.placement.search.solve import Clock, solve

Make = Callable[[int], PlacementProblem]


def feasible(p: PlacementProblem) -> bool | None:
    return Search(p, "highs", Clock(None)).any_plan()


@pytest.mark.parametrize("batch", range(4))
def test_each_member_of_a_conflict_is_needed_and_together_they_suffice(batch: int, random_problem: Make) -> None:
    conflicts = 0
    for seed in range(batch * 20, batch * 20 + 20):
        p = random_problem(seed)
        result = solve(p)
        if result.status != "infeasible":
            continue
        others = [name for name in constraint_names(p) if name not in result.conflict]
        assert feasible(without(p, others)) is False, seed
        if set(result.conflict) <= set(constraint_names(p)):
            assert result.conflict, seed
            conflicts += 1
            for name in result.conflict:
                assert feasible(without(p, [*others, name])) is True, (seed, name)
    assert conflicts > 0


@pytest.mark.parametrize("batch", range(3))
def test_a_name_binds_exactly_if_a_better_plan_exists_without_it(batch: int, random_problem: Make) -> None:
    found = 0
    for seed in range(300 + batch * 20, 320 + batch * 20):
        p = random_problem(seed)
        result = solve(p)
        if result.objective is None:
            continue
        names = [n for n in constraint_names(p) if n.startswith(("slo.", "count[", "limits."))]
        for name in names:
            other = solve(without(p, [name])).objective
            assert other is not None
            better = other < result.objective - 2e-6 * abs(result.objective)
            assert (name in result.binding) == better, (seed, name)
            found += better
    assert found > 0


def test_a_piece_that_may_run_nowhere_is_named(random_problem: Make) -> None:
    p = random_problem(0)
    node = p.pieces[0].node
    lost = replace(p, options=tuple(o for o in p.options if o.piece != p.pieces[0].id))
    result = solve(lost)
    assert result.status == "infeasible"
    assert f"place[{node}]" in result.conflict


def test_a_user_s_exclusion_stands_in_the_conflict(random_problem: Make) -> None:
    p = next(q for q in map(random_problem, range(100)) if solve(q).status == "optimal")
    ruled_out = replace(p, options=tuple(replace(o, excluded_by="place[x]") for o in p.options))
    assert solve(ruled_out).conflict == ("place[x]",)


def test_memory_too_small_everywhere_is_named_by_device(random_problem: Make) -> None:
    p = next(q for q in map(random_problem, range(100)) if solve(q).status == "optimal")
    small = replace(p, pools=tuple(replace(g, memory_bytes=0.5) for g in p.pools), bounds=())
    result = solve(small)
    assert result.status == "infeasible"
    assert result.conflict
    assert all(name.startswith("memory[") for name in result.conflict)


def test_without_a_count_larger_pools_carry_at_least_in_proportion(random_problem: Make) -> None:
    p = next(q for q in map(random_problem, range(100)) if q.rate_per_s and q.pools[0].capacity)
    busy = replace(p, options=tuple(replace(o, load=o.load + 1) for o in p.options), rate_per_s=100.0)
    larger = without(busy, [f"count[{d.name}]" for d in busy.devices])
    for before, after in zip(busy.pools, larger.pools, strict=True):
        each = before.capacity[-1] / len(before.capacity) if before.capacity else math.inf
        assert after.capacity[: len(before.capacity)] == before.capacity
        for n, most in enumerate(after.capacity[len(before.capacity) :], len(before.capacity) + 1):
            assert most == pytest.approx(n * each)


def test_an_answer_that_is_unknown_keeps_the_constraint() -> None:
    p = PlacementProblem((), (), (), (), (), (), (), None, limits=())
    assert irreducible_conflict(p, lambda _: None) == ()
    assert binding_names(p, lambda _: True) == ()
