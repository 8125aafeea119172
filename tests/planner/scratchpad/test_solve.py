"""Whole plans: degenerate graphs, operators that do not fit, alignment, limits of time, and being interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from dovetail import Infeasible
from dovetail.planner.scratchpad import solve
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.in_place import SharedResidency, keep_in_place
from dovetail.planner.scratchpad.plan import ScratchpadPlan, assemble
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.repair import repaired
from dovetail.planner.scratchpad.residency import Residency
from dovetail.planner.scratchpad.search import gap
from dovetail.planner.scratchpad.solve import plan_scratchpad

RunPlan = Callable[[ScratchpadProblem, ScratchpadPlan], int]
Edge = tuple[Sequence[int], Sequence[int]]


def problem_of(sizes: Sequence[int], edges: Sequence[Edge], capacity: int, alignment: int = 1) -> ScratchpadProblem:
    """Tensors by size; those that nobody makes are inputs, those that nobody reads outputs."""
    made = {t for _, outputs in edges for t in outputs}
    read = {t for inputs, _ in edges for t in inputs}
    kinds = ["input" if t not in made else "intermediate" if t in read else "output" for t in range(len(sizes))]
    tensors = tuple(Tensor(f"t{t}", size, kind) for t, (size, kind) in enumerate(zip(sizes, kinds, strict=True)))
    operators = tuple(Operator(f"op{v}", tuple(i), tuple(o)) for v, (i, o) in enumerate(edges))
    return ScratchpadProblem("graph", tensors, operators, capacity, alignment)


def planned(problem: ScratchpadProblem, run_plan: RunPlan, in_place: bool = False) -> ScratchpadPlan:
    plan = plan_scratchpad(problem, in_place=in_place)
    assert check_plan(problem, plan) == []
    assert run_plan(problem, plan) == plan.noncompulsory_bytes
    return plan


DEGENERATE: dict[str, tuple[Sequence[int], Sequence[Edge], int, int]] = {
    "nothing": ([], [], 0, 0),
    "nothing but a tensor": ([5], [], 0, 0),
    "one operator": ([3, 4], [([0], [1])], 7, 0),
    "an operator without inputs": ([4], [([], [0])], 4, 0),
    "an operator without outputs": ([4], [([0], [])], 4, 0),
    "an operator without tensors": ([], [([], [])], 0, 0),
    "zero bytes everywhere": ([0, 0, 0], [([0], [1]), ([1], [2])], 0, 0),
    "a tensor of zero bytes": ([4, 0, 4], [([0], [1]), ([1, 0], [2])], 8, 0),
    "two graphs": ([2, 2, 3, 3], [([0], [1]), ([2], [3])], 6, 0),
    "a tensor read twice": ([4, 4], [([0, 0], [1])], 8, 0),
    "what nobody reads": ([4, 4, 4], [([0], [1, 2])], 12, 0),
    "a tensor that must come back": ([2, 4, 4, 4, 2], [([0], [1]), ([1], [2]), ([2], [3]), ([1, 3], [4])], 10, 8),
}


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_graphs(case: str, in_place: bool, run_plan: RunPlan) -> None:
    sizes, edges, capacity, expected = DEGENERATE[case]
    plan = planned(problem_of(sizes, edges, capacity), run_plan, in_place=in_place)
    assert plan.status == "optimal"
    assert plan.noncompulsory_bytes <= expected if in_place else plan.noncompulsory_bytes == expected


def test_a_thousand_equal_operators(run_plan: RunPlan) -> None:
    chain = [([v], [v + 1]) for v in range(1000)]
    assert planned(problem_of([7] * 1001, chain, 14), run_plan).status == "optimal"
    star = [([0], [v + 1]) for v in range(1000)]
    assert planned(problem_of([7] * 1001, star, 14), run_plan).status == "optimal"


@pytest.mark.parametrize("capacity", [0, 9])
def test_operators_that_do_not_fit_are_named_with_what_they_need(capacity: int) -> None:
    problem = problem_of([4, 6, 4, 6], [([0], [1]), ([1], [2]), ([2], [3])], capacity)
    with pytest.raises(Infeasible) as error:
        plan_scratchpad(problem)
    assert "3 of 3 operators do not fit" in str(error.value)
    assert "`op0` needs 10 bytes: `t1` 6, `t0` 4" in str(error.value)
    assert error.value.conflict == ("need[op0]", "need[op1]", "need[op2]")
    assert error.value.document is not None
    assert error.value.document["status"] == "infeasible"


def test_what_does_not_fit_may_fit_in_place(run_plan: RunPlan) -> None:
    problem = problem_of([6, 6, 6], [([0], [1]), ([1], [2])], 6)
    with pytest.raises(Infeasible):
        plan_scratchpad(problem)
    plan = planned(problem, run_plan, in_place=True)
    assert (plan.status, plan.noncompulsory_bytes) == ("optimal", 0)
    assert plan.shares == (("t1", "t0"), ("t2", "t1"))
    with pytest.raises(Infeasible, match="needs 6 bytes"):
        plan_scratchpad(problem.with_size(5), in_place=True)


def test_an_input_that_is_wanted_later_is_not_taken_over(run_plan: RunPlan) -> None:
    problem = problem_of([6, 6, 6], [([0], [1]), ([0, 1], [2])], 12)
    assert planned(problem, run_plan, in_place=True).shares in ((("t2", "t0"),), (("t2", "t1"),))


def test_offsets_are_aligned_and_sizes_rounded(run_plan: RunPlan) -> None:
    edges = [([0], [1]), ([0], [2]), ([1, 2], [3])]
    plan = planned(problem_of([5, 3, 3, 1], edges, 24, alignment=8), run_plan)
    assert {buffer.offset for buffer in plan.buffers} == {0, 8, 16}
    assert plan.noncompulsory_bytes == 0
    with pytest.raises(Infeasible, match="needs 24 bytes"):
        plan_scratchpad(problem_of([5, 3, 3, 1], edges, 23, alignment=8))


def ladder(rungs: int) -> ScratchpadProblem:
    """Two chains with rungs between them and long ways over them: no quick proof."""
    edges: list[Edge] = []
    for v in range(1, rungs):
        edges.append(([v - 1, *([v - 7] if v > 7 else []), *([v - 3] if v > 3 and v % 2 else [])], [v]))
    return problem_of([1 + v * v % 5 for v in range(rungs)], edges, 14)


def test_progress_is_told() -> None:
    told: list[str] = []
    plan_scratchpad(ladder(40), time_limit_s=5.0, on_progress=told.append)
    assert any("bytes at addresses" in text for text in told)


def test_the_time_limit_is_kept(run_plan: RunPlan) -> None:
    problem = ladder(300)
    plan_scratchpad(ladder(20))  # compiles
    start = time.perf_counter()
    plan = plan_scratchpad(problem, time_limit_s=3.0)
    # Other work on the machine may slow the last steps; a search that forgets its limit takes minutes.
    assert time.perf_counter() - start < 6.0
    assert check_plan(problem, plan) == []


def test_an_interrupt_before_the_first_answer_gives_a_plan(monkeypatch: pytest.MonkeyPatch, run_plan: RunPlan) -> None:
    def interrupted(*_: object) -> tuple[Residency, int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(solve, "_schedule", interrupted)
    problem = ladder(60)
    plan = planned(problem, run_plan)
    assert plan.lower_bound_bytes == 0


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_every_residency_can_be_repaired(
    seed: int, in_place: bool, random_problem: Callable[[int], ScratchpadProblem], run_plan: RunPlan
) -> None:
    problem = random_problem(seed)
    order = tuple(range(len(problem.operators)))
    wanted = keep_in_place(problem, order) if in_place else SharedResidency(gap.keep(problem, order), ())
    placed = repaired(wanted)
    plan = assemble(placed.shared.residency, placed.offsets, 0, 0.0)
    names = [tensor.name for tensor in problem.tensors]
    plan = replace(plan, shares=tuple((names[b], names[a]) for b, a in placed.shared.pairs))
    assert check_plan(problem, plan) == []
    assert run_plan(problem, plan) == plan.noncompulsory_bytes >= wanted.residency.noncompulsory_bytes


def test_a_residency_without_a_layout_is_repaired(run_plan: RunPlan) -> None:
    """All bytes fit at each step, but one sweep leaves holes that are too small."""
    problem = wide(60)
    order = tuple(range(len(problem.operators)))
    wanted = SharedResidency(gap.keep(problem, order), ())
    plan = assemble((placed := repaired(wanted)).shared.residency, placed.offsets, 0, 0.0)
    assert check_plan(problem, plan) == []
    assert run_plan(problem, plan) > wanted.residency.noncompulsory_bytes


def wide(count: int) -> ScratchpadProblem:
    """Odd sizes and long lives, so that first fit leaves holes."""
    edges: list[Edge] = [([v - 1, *(u for u in (v - 4, v - 9) if u >= 0)], [v]) for v in range(1, count)]
    return problem_of([1 + v * v % 7 for v in range(count)], edges, 26)


def test_an_interrupt_while_addresses_are_sought_gives_a_plan(
    monkeypatch: pytest.MonkeyPatch, run_plan: RunPlan
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(solve, "place", interrupted)
    plan = planned(ladder(30), run_plan)
    assert plan.buffers
