"""The exact search against brute force over all orders with exact eviction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import pytest

from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.search import gap, schedule
from dovetail.planner.scratchpad.search.exact import Search
from dovetail.planner.scratchpad.search.split import pieces, whole

Make = Callable[[int], ScratchpadProblem]
MEMORY = 200 << 20


def orders(problem: ScratchpadProblem, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if len(done) == len(problem.operators):
        yield done
    for op in range(len(problem.operators)):
        if op not in done and problem.predecessors[op] <= set(done):
            yield from orders(problem, (*done, op))


def least_bytes(problem: ScratchpadProblem, order: Sequence[int]) -> int:
    """By trying every set of tensors that may stay at each step."""
    uses = [
        [step for step, op in enumerate(order) if t in problem.operators[op].touched]
        for t in range(len(problem.tensors))
    ]
    states: dict[frozenset[tuple[int, bool]], int] = {frozenset(): 0}
    for step, op in enumerate(order):
        touched = set(problem.operators[op].touched)
        after: dict[frozenset[tuple[int, bool]], int] = {}
        for state, cost in states.items():
            paid = {t for t, is_paid in state if is_paid}
            resident = {t for t, _ in state if t >= 0}
            others = [t for t in resident if t not in touched]
            for k in range(len(others) + 1):
                for leave in combinations(others, k):
                    stay = (resident | touched) - set(leave)
                    if sum(problem.sizes[t] for t in stay) > problem.size_bytes:
                        continue
                    back = [t for t in touched if t not in resident and uses[t][0] < step]
                    write = [t for t in leave if not problem.tensors[t].leaves_free and t not in paid]
                    out = {-t - 1 for t in write} | {t for t, p in state if t < 0}
                    total = cost + sum(problem.tensors[t].bytes for t in (*back, *write))
                    marks = {(t, -t - 1 in out or t in paid) for t in stay if uses[t][-1] > step}
                    key = frozenset(marks | {(t, True) for t in out if uses[-t - 1][-1] > step})
                    after[key] = min(total, after.get(key, total))
        states = after
    return min(states.values())


def brute_force(problem: ScratchpadProblem) -> int:
    return min(least_bytes(problem, order) for order in orders(problem))


SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_schedule_is_optimal_over_all_orders(seed: int, random_problem: Make) -> None:
    problem = random_problem(seed)
    residency, bound = schedule(problem, time_limit_s=20)
    assert problem.is_order(residency.order)
    assert residency.fits
    assert residency.noncompulsory_bytes == bound == brute_force(problem)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_directions_agree(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    found = []
    for one in (piece, piece.reverse()):
        search = Search(one)
        search.run(1 << 30, 1 << 30, MEMORY)
        assert search.path is not None
        assert gap.cost_of(one, search.path[1]) == search.bound
        found.append(search.bound)
    assert found[0] == found[1]


def test_half_of_the_random_problems_move_something(random_problem: Make) -> None:
    assert sum(schedule(random_problem(seed))[1] > 0 for seed in SEEDS) >= len(SEEDS) // 2


@pytest.mark.parametrize("seed", SEEDS)
def test_gap_is_optimal_for_an_order(seed: int, random_problem: Make) -> None:
    problem = random_problem(seed)
    order = list(orders(problem))[-1]
    kept = gap.keep(problem, order)
    assert kept.fits
    assert kept.noncompulsory_bytes == least_bytes(problem, order)
    assert gap.belady(problem, order).noncompulsory_bytes >= kept.noncompulsory_bytes


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_pieces_join_to_an_order(seed: int, random_problem: Make) -> None:
    problem = random_problem(seed)
    ops = [op for piece in pieces(problem) for op in piece.operators]
    assert set(ops) == set(range(len(problem.operators)))
