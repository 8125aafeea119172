"""Keeping and placing together, against every choice of what to keep."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.planner.scratchpad.addresses import lay_out_stays
from dovetail.planner.scratchpad.addresses.joint import keep_and_place
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.residency import residency_of


@st.composite
def chains(draw: st.DrawFn) -> ScratchpadProblem:
    """Operators in a row: each makes a tensor from one or two of those before, some of them graph inputs."""
    count = draw(st.integers(2, 5))
    tensors = [Tensor("x", draw(st.integers(1, 6)), "input"), Tensor("y", draw(st.integers(0, 6)), "parameter")]
    operators = []
    for index in range(count):
        inputs = draw(st.lists(st.integers(0, len(tensors) - 1), min_size=1, max_size=2, unique=True))
        kind = "output" if index == count - 1 else "intermediate"
        operators.append(Operator(f"op{index}", tuple(inputs), (len(tensors),)))
        tensors.append(Tensor(f"t{index}", draw(st.integers(1, 6)), kind))
    problem = ScratchpadProblem("chain", tuple(tensors), tuple(operators), 0, draw(st.sampled_from([1, 2])))
    return problem.with_size(problem.least_size_bytes + draw(st.integers(0, 4)))


def least_traffic(problem: ScratchpadProblem) -> int | None:
    """Over every choice of what to keep, tensors being kept between adjacent steps, those that have a layout."""
    free = [(t, i) for t, ops in enumerate(problem.touches) for i in range(len(ops) - 1) if ops[i] + 1 < ops[i + 1]]
    best: int | None = None
    for lost in product([False, True], repeat=len(free)):
        away = {gap for gap, is_lost in zip(free, lost, strict=True) if is_lost}
        kept = [[(t, i) not in away for i in range(len(ops) - 1)] for t, ops in enumerate(problem.touches)]
        residency = residency_of(problem, range(len(problem.operators)), kept)
        moved = residency.noncompulsory_bytes
        if (best is None or moved < best) and residency.fits and lay_out_stays(residency).status == "found":
            best = moved
    return best


@settings(max_examples=15, deadline=None)
@given(chains())
def test_is_the_least_over_all_choices(problem: ScratchpadProblem) -> None:
    plan = keep_and_place(problem, range(len(problem.operators)))
    best = least_traffic(problem)
    if best is None:
        assert plan is None
        return
    assert plan is not None
    assert plan.residency.noncompulsory_bytes == plan.lower_bound_bytes == best
    assert plan.residency.fits
    again = keep_and_place(problem, plan.residency.order, at_most_bytes=best, hint=plan.residency)
    assert again is not None
    assert keep_and_place(problem, plan.residency.order, at_most_bytes=best - 1) is None


def test_an_operator_that_cannot_fit_has_no_plan() -> None:
    tensors = (Tensor("a", 3, "input"), Tensor("b", 5, "output"))
    problem = ScratchpadProblem("one", tensors, (Operator("f", (0,), (1,)),), 7)
    assert keep_and_place(problem, (0,)) is None
