"""Orders by local search: valid, never above where they began, never below the optimum, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.search import gap, schedule
from dovetail.planner.scratchpad.search.local import LocalSearch
from dovetail.planner.scratchpad.search.split import whole
from dovetail.planner.scratchpad.search.tables import tables

Make = Callable[[int], ScratchpadProblem]


def walked(problem: ScratchpadProblem, moves: int, seed: int = 0) -> LocalSearch:
    search = LocalSearch(tables(whole(problem)), tuple(range(len(problem.operators))), seed)
    for _ in range(4):
        search.run(moves // 4)
    return search


@pytest.mark.parametrize("seed", range(40))
def test_what_it_finds_is_a_plan_between_the_optimum_and_the_file_order(seed: int, random_problem: Make) -> None:
    problem = random_problem(seed)
    search = walked(problem, 2000)
    order = tuple(int(op) for op in search.best)
    assert problem.is_order(order)
    residency = gap.belady(problem, order)
    assert residency.fits
    in_file_order = gap.belady(problem, range(len(order))).noncompulsory_bytes
    assert schedule(problem)[1] <= residency.noncompulsory_bytes == search.best_bytes <= in_file_order


def test_it_finds_most_of_what_is_to_be_gained(random_problem: Make) -> None:
    problems = [random_problem(seed) for seed in range(40)]
    orders = [tuple(int(op) for op in walked(problem, 2000).best) for problem in problems]
    found = sum(gap.keep(p, order).noncompulsory_bytes for p, order in zip(problems, orders, strict=True))
    in_file_order = sum(gap.keep(p, range(len(p.operators))).noncompulsory_bytes for p in problems)
    optimum = sum(schedule(p)[1] for p in problems)
    assert found - optimum < 0.1 * (in_file_order - optimum)


def test_the_same_seed_walks_the_same_way(random_problem: Make) -> None:
    problem = random_problem(5)
    assert list(walked(problem, 400, 3).best) == list(walked(problem, 400, 3).best)


def test_it_tires_where_nothing_is_to_be_gained(random_problem: Make) -> None:
    problem = random_problem(0)
    search = walked(problem, 4)
    assert not search.is_tired
    for _ in range(100):
        search.run(1000)
    assert search.is_tired
