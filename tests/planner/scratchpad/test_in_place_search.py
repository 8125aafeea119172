"""The search for plans in place: as good as the plain one, honest where it stops, and sure where nothing fits."""

from __future__ import annotations

import pytest
from exhaustive import exhaustive

from dovetail.ir.diagnostics import Infeasible
from dovetail.planner.scratchpad.in_place import keep_in_place, least_need_bytes
from dovetail.planner.scratchpad.in_place_search import search_in_place
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.solve import plan_scratchpad

EVERY = 1_000_000


def tight(problem: ScratchpadProblem, spare: int) -> ScratchpadProblem:
    """The problem on the least scratchpad on which each operator fits in place, and a little more."""
    least = max(least_need_bytes(problem, v) for v in range(len(problem.operators)))
    return problem.with_size(least + spare * problem.alignment_bytes)


def test_it_agrees_with_the_plain_search(random_problem) -> None:
    impossible = spilling = 0
    for seed in range(150):
        problem = tight(random_problem(seed), seed % 3)
        try:
            plain = exhaustive(problem, in_place=True)
        except ValueError:
            impossible += 1
            found = search_in_place(problem, None, EVERY, None)
            assert found.order is None
            assert found.is_closed
            continue
        assert plain is not None
        least = keep_in_place(problem, plain.order).residency.noncompulsory_bytes
        found = search_in_place(problem, None, EVERY, None)
        assert found.order is not None
        assert found.bound_bytes == keep_in_place(problem, found.order).residency.noncompulsory_bytes == least
        nothing = search_in_place(problem, least, EVERY, None)
        assert (nothing.order, nothing.bound_bytes, nothing.is_closed) == (None, least, True)
        spilling += least > 0
    assert impossible >= 5
    assert spilling >= 10


def test_a_bound_is_one_wherever_it_stops(random_problem) -> None:
    stopped = 0
    for seed in range(60):
        problem = tight(random_problem(seed), 1)
        least = search_in_place(problem, None, EVERY, None)
        for states in (1, 5, 20, 80):
            early = search_in_place(problem, None, states, None)
            stopped += not early.is_closed
            if least.order is not None:
                assert early.bound_bytes <= least.bound_bytes
    assert stopped >= 60


def test_thirty_six_operators_are_closed(wide_problem) -> None:
    problem = wide_problem(36)
    plan = plan_scratchpad(problem, in_place=True)
    assert plan.status == "optimal"
    assert plan.noncompulsory_bytes > 0


def test_where_no_order_fits_that_is_said_with_what_would_do() -> None:
    """Either operator fits if `x` ends there, but it ends at one alone."""
    tensors = (Tensor("x", 4, "input"), Tensor("y", 4, "output"), Tensor("z", 4, "output"))
    operators = (Operator("a", (0,), (1,)), Operator("b", (0,), (2,)))
    with pytest.raises(Infeasible) as error:
        plan_scratchpad(ScratchpadProblem("two", tensors, operators, 7), in_place=True)
    assert "no order exists in which all operators fit in place" in str(error.value)
    assert "give 8 bytes, with which the default order does" in str(error.value)
    assert (error.value.document or {})["status"] == "infeasible"
