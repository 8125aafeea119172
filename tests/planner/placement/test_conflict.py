"""Conflicts that cannot be made smaller, and names of what costs money."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from dovetail.planner.placement.problem import Bound, PlacementProblem
from dovetail.planner.placement.search import solve as solving
from dovetail.planner.placement.search.conflict import (
    binding_names,
    breaking,
    constraint_names,
    irreducible_conflict,
    without,
)
from dovetail.planner.placement.search.rounds import Search
from dovetail.planner.placement.search.solve import Clock, solve
from dovetail.planner.placement.times.latency import ttft

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


def test_a_bound_that_excludes_all_by_itself_is_named_alone_though_other_trials_take_too_long(
    random_problem: Make,
) -> None:
    q = next(q for q in map(random_problem, range(100)) if q.rate_per_s and not any(o.excluded_by for o in q.options))
    p = replace(q, bounds=(Bound("slo.end_to_end", "end_to_end", 1e-6, None), *q.bounds), quality_bounds=())

    def soon(other: PlacementProblem) -> bool | None:
        names = constraint_names(other)
        return feasible(other) if sum(b.name in names for b in p.bounds) <= 1 else None

    assert irreducible_conflict(p, soon) == ("slo.end_to_end",)


def test_a_conflict_that_there_was_no_time_to_shrink_says_so(
    random_problem: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = next(q for q in map(random_problem, range(100)) if solve(q).status == "infeasible")
    assert solve(p).conflict_complete
    monkeypatch.setattr(solving, "CONFLICT_S", 0.0)
    hurried = solve(p)
    assert not hurried.conflict_complete
    assert set(hurried.conflict) == set(constraint_names(p))


def bounds_on_nodes(p: PlacementProblem, plan: Mapping[str, str]) -> Iterator[Bound]:
    """Bounds on single nodes that a plan just keeps, and such as it just breaks."""
    chosen = {o.piece: o for o in p.options if plan[o.piece] == o.pool}
    for q in p.pieces:
        first = max(ttft(chosen[q.id], k + 1, 0.9) for k in range(len(chosen[q.id].visits)))
        for share in (0.999, 1.001):
            if q.part != "decode":
                yield Bound("slo.ttft", "ttft", share * first, 0.9, q.node)
            elif chosen[q.id].tbt_s:
                yield Bound("slo.tbt", "tbt", share * max(chosen[q.id].tbt_s), None, q.node)


def test_what_breaks_a_bound_has_a_better_plan_where_what_lacks_it_has_one(random_problem: Make) -> None:
    answers: list[bool] = []
    for seed in range(40):
        free = replace(random_problem(seed), bounds=(), objective="cost")
        for b in bounds_on_nodes(free, solve(free).placements) if solve(free).objective is not None else ():
            p = replace(free, bounds=(b,))
            best = solve(p).objective
            if best is not None:
                relaxed = (breaking(p, b.name), without(p, [b.name]))
                found = [Search(q, "highs", Clock(None), below=best).any_plan() for q in relaxed]
                assert found[0] is found[1]
                assert len(relaxed[0].one_of) == 1
                answers.append(found[0] is True)
    assert answers.count(True) > 5
    assert answers.count(False) > 5
