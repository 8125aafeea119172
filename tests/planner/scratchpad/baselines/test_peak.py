"""The order of least peak, against all orders."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from dovetail.planner.scratchpad.peak import least_peak, peak_of
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.residency import residency_of

Make = Callable[[int, int], ScratchpadProblem]


@pytest.mark.parametrize("seed", range(40))
def test_no_order_has_a_smaller_peak(random_problem: Make, seed: int) -> None:
    problem = random_problem(seed, 4 + seed % 4)
    orders = [order for order in permutations(range(len(problem.operators))) if problem.is_order(order)]
    kept = [[True] * max(len(ops) - 1, 0) for ops in problem.touches]
    peaks = [max(residency_of(problem, order, kept).load_bytes) for order in orders]
    found = least_peak(problem)
    assert found.is_least
    assert found.peak_bytes == min(peaks)
    assert problem.is_order(found.order)
    assert peaks[orders.index(found.order)] == found.peak_bytes


def test_some_random_problems_need_another_order_and_more_than_the_largest_operator(random_problem: Make) -> None:
    """Otherwise the test above could not fail."""
    problems = [random_problem(seed, 4 + seed % 4) for seed in range(40)]
    found = [(p, least_peak(p)) for p in problems]
    assert any(peak_of(p, range(len(p.operators))) > f.peak_bytes > p.least_size_bytes for p, f in found)


def test_without_time_the_best_known_order_comes_with_a_bound() -> None:
    # Two chains that start large and end small: one after the other is better than both at once, as the file has it.
    tensors = [Tensor("a", 1), Tensor("b", 1), Tensor("A", 9), Tensor("B", 9), Tensor("c", 1, "output")]
    ops = [
        Operator("A", (), (2,)),
        Operator("B", (), (3,)),
        Operator("a", (2,), (0,)),
        Operator("b", (3,), (1,)),
        Operator("c", (0, 1), (4,)),
    ]
    problem = ScratchpadProblem("chains", tuple(tensors), tuple(ops), 0)
    assert peak_of(problem, range(5)) == 19
    exact = least_peak(problem)
    assert (exact.peak_bytes, exact.is_least) == (11, True)
    hurried = least_peak(problem, time_limit_s=0.0)
    assert problem.is_order(hurried.order)
    assert hurried.bound_bytes <= 11 <= hurried.peak_bytes


def test_no_operators_have_no_peak() -> None:
    found = least_peak(ScratchpadProblem("empty", (), (), 0))
    assert (found.order, found.peak_bytes, found.bound_bytes) == ((), 0, 0)
