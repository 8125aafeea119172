"""The validator accepts what can be executed, and rejects every way of tampering with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.plan import Buffer, PlannedMove, ScratchpadPlan
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor

RunPlan = Callable[[ScratchpadProblem, ScratchpadPlan], int]


@pytest.fixture
def problem() -> ScratchpadProblem:
    """x -> a; a -> b; b -> c; a, c -> out, where a must leave for c to be made."""
    sizes = {"x": 2, "a": 4, "b": 4, "c": 4, "out": 2}
    kinds = {"x": "input", "out": "output"}
    tensors = tuple(Tensor(name, size, kinds.get(name, "intermediate")) for name, size in sizes.items())
    edges = (((0,), (1,)), ((1,), (2,)), ((2,), (3,)), ((1, 3), (4,)))
    operators = tuple(Operator(f"op{i}", inputs, outputs) for i, (inputs, outputs) in enumerate(edges))
    return ScratchpadProblem("chain", tensors, operators, 10)


@pytest.fixture
def plan() -> ScratchpadPlan:
    return ScratchpadPlan(
        status="optimal",
        size_bytes=10,
        compulsory_bytes=4,
        noncompulsory_bytes=8,
        lower_bound_bytes=8,
        order=("op0", "op1", "op2", "op3"),
        buffers=(
            Buffer("x", 0, 0, 4, 2),
            Buffer("a", 0, 1, 0, 4),
            Buffer("a", 3, 3, 6, 4),
            Buffer("b", 1, 2, 4, 4),
            Buffer("c", 2, 3, 0, 4),
            Buffer("out", 3, 3, 4, 2),
        ),
        moves=(PlannedMove(1, "a", "spill", 4), PlannedMove(3, "a", "reload", 4)),
        seconds=0.0,
    )


def test_a_plan_that_can_be_executed_passes(
    problem: ScratchpadProblem, plan: ScratchpadPlan, run_plan: RunPlan
) -> None:
    assert check_plan(problem, plan) == []
    assert run_plan(problem, plan) == 8


def with_buffer(plan: ScratchpadPlan, index: int, **changes: object) -> ScratchpadPlan:
    buffers = list(plan.buffers)
    buffers[index] = replace(buffers[index], **changes)  # type: ignore[arg-type]
    return replace(plan, buffers=tuple(buffers))


def with_move(plan: ScratchpadPlan, index: int, **changes: object) -> ScratchpadPlan:
    moves = list(plan.moves)
    moves[index] = replace(moves[index], **changes)  # type: ignore[arg-type]
    return replace(plan, moves=tuple(moves))


TAMPERED: dict[str, tuple[Callable[[ScratchpadPlan], ScratchpadPlan], str]] = {
    "operator left out": (lambda p: replace(p, order=p.order[:3]), "every operator once"),
    "operator twice": (lambda p: replace(p, order=(*p.order, "op0")), "every operator once"),
    "wrong order": (lambda p: replace(p, order=("op1", "op0", "op2", "op3")), "before `a` is made"),
    "overlap": (lambda p: with_buffer(p, 3, offset=3), "overlaps"),
    "beyond the end": (lambda p: with_buffer(p, 2, offset=7), "beyond the scratchpad"),
    "negative address": (lambda p: with_buffer(p, 1, offset=-1), "beyond the scratchpad"),
    "too small": (lambda p: with_buffer(p, 1, bytes=3), "has 3 bytes"),
    "unknown tensor": (lambda p: with_buffer(p, 1, tensor="z"), "no tensor `z`"),
    "steps outside": (lambda p: with_buffer(p, 5, end=4), "outside the steps"),
    "not resident": (lambda p: with_buffer(p, 3, end=1), "`b` is not resident at step 2"),
    "made too early": (lambda p: with_buffer(p, 4, start=1, offset=0), "overlaps"),
    "before it is made": (
        lambda p: with_buffer(with_buffer(p, 1, offset=0), 5, start=2, offset=8),
        "step 3, which makes",
    ),
    "reload left out": (
        lambda p: replace(p, moves=p.moves[:1], noncompulsory_bytes=4, lower_bound_bytes=4),
        "filled by no reload",
    ),
    "spill left out": (
        lambda p: replace(p, moves=p.moves[1:], noncompulsory_bytes=4, lower_bound_bytes=4),
        "never written back",
    ),
    "reload at another step": (lambda p: with_move(p, 1, step=2), "filled by no reload"),
    "reload of a first buffer": (lambda p: with_move(p, 1, tensor="c"), "fills no buffer"),
    "spill when absent": (lambda p: with_move(p, 0, step=2), "not resident"),
    "spill too late": (lambda p: with_move(p, 0, step=3), "before it was written back"),
    "spill of an input": (lambda p: with_move(p, 0, tensor="x", step=0), "has a copy outside"),
    "spill twice": (lambda p: replace(p, moves=(*p.moves, p.moves[0])), "written back twice"),
    "fewer bytes moved": (lambda p: with_move(p, 0, bytes=1), "moves 1 bytes"),
    "move of nothing": (lambda p: with_move(p, 0, tensor="z"), "no tensor `z`"),
    "bytes understated": (lambda p: replace(p, noncompulsory_bytes=4, lower_bound_bytes=4), "there are 8"),
    "compulsory understated": (lambda p: replace(p, compulsory_bytes=2), "there are 4"),
    "bound too high": (lambda p: replace(p, lower_bound_bytes=9), "no bound"),
    "gap not told": (lambda p: replace(p, lower_bound_bytes=4), "bound is not reached"),
    "proof not told": (lambda p: replace(p, status="feasible"), "bound is reached"),
    "another size": (lambda p: replace(p, size_bytes=11), "not for 10"),
    "no share of its": (lambda p: replace(p, shares=(("c", "a"),)), "no input of its operator"),
    "share elsewhere": (lambda p: replace(p, shares=(("c", "b"),)), "where `b` ends"),
    "infeasible with a plan": (lambda p: replace(p, status="infeasible"), "has an order"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_plan_is_rejected(problem: ScratchpadProblem, plan: ScratchpadPlan, case: str) -> None:
    tamper, expected = TAMPERED[case]
    faults = check_plan(problem, tamper(plan))
    assert any(expected in fault for fault in faults), faults


def test_offsets_are_multiples_of_the_alignment(problem: ScratchpadProblem, plan: ScratchpadPlan) -> None:
    assert check_plan(replace(problem, alignment_bytes=2), plan) == []
    assert any("no multiple of 4" in fault for fault in check_plan(replace(problem, alignment_bytes=4), plan))


def test_an_output_may_take_over_an_input_that_ends(plan: ScratchpadPlan, run_plan: RunPlan) -> None:
    tensors = (Tensor("x", 4, "input"), Tensor("y", 3, "output"))
    problem = ScratchpadProblem("one", tensors, (Operator("op", (0,), (1,)),), 4)
    buffers = (Buffer("x", 0, 0, 0, 4), Buffer("y", 0, 0, 0, 3))
    shared = ScratchpadPlan("optimal", 4, 7, 0, 0, ("op",), buffers, (), 0.0, (("y", "x"),))
    assert check_plan(problem, shared) == []
    assert run_plan(problem, shared) == 0
    assert any("overlaps" in fault for fault in check_plan(problem, replace(shared, shares=())))
    larger = replace(problem, tensors=(tensors[0], Tensor("y", 5, "output")))
    assert any("larger" in fault or "has 3 bytes" in fault for fault in check_plan(larger, shared))
