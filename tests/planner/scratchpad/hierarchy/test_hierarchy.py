"""Plans over more than one level: executed on real bytes, checked, timed, and their bounds held to be bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dovetail.ir.diagnostics import Infeasible, InputError
from dovetail.planner.scratchpad.hierarchy import HierarchyPlan, Level, check_hierarchy, plan_hierarchy
from dovetail.planner.scratchpad.hierarchy.level import transfer_s
from dovetail.planner.scratchpad.hierarchy.plan import Objective
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.solve import plan_scratchpad

DRAM = Level("dram", None, 1.0)
SIMPLE = (Level("sram", 100, 10.0), DRAM)


def run_and_check(problem, levels, replay, objective: Objective = "bytes", operator_s=None) -> HierarchyPlan:
    plan = plan_hierarchy(problem, levels, objective=objective, operator_s=operator_s)
    assert check_hierarchy(problem, levels, plan, operator_s) == []
    assert replay(problem, levels, plan) == pytest.approx(plan.makespan_s)
    return plan


def test_random_plans_run(drawn_problem, random_levels, replay) -> None:
    held = 0
    for seed in range(30):
        problem, levels = drawn_problem(2 * seed), random_levels(seed)
        seconds = [(0.5, 1.0, 3.0)[(seed + v) % 3] for v in range(len(problem.operators))]
        few = run_and_check(problem, levels, replay, "bytes", seconds)
        fast = run_and_check(problem, levels, replay, "makespan", seconds)
        assert fast.makespan_s <= few.makespan_s * (1 + 1e-9)
        cost = [
            sum(b.noncompulsory_bytes / x.bytes_per_s for b, x in zip(p.borders, levels, strict=True))
            for p in (few, fast)
        ]
        assert cost[0] <= cost[1] + 1e-9
        held += any(hold.level == "sram" for hold in few.holds)
    assert held >= 8


def test_one_level_moves_what_the_scratchpad_plan_moves(drawn_problem) -> None:
    for seed in range(0, 20, 2):
        problem = drawn_problem(seed)
        plan = plan_hierarchy(problem, (DRAM,))
        assert plan.borders[0].noncompulsory_bytes == plan_scratchpad(problem).noncompulsory_bytes


def test_a_large_middle_level_keeps_everything_from_the_outer_one(drawn_problem) -> None:
    for seed in range(0, 20, 2):
        problem = drawn_problem(seed)
        plan = plan_hierarchy(problem, SIMPLE)
        near, far = plan.borders
        assert far.noncompulsory_bytes == 0
        assert near.noncompulsory_bytes == plan_scratchpad(problem).noncompulsory_bytes
        assert plan.status == "optimal"


def test_reloads_run_beside_the_operators(chain) -> None:
    """Each operator takes 10 s and reads 10 bytes of weights, which take 10 s: only the first load is waited for, and
    nothing is stored but the last byte."""
    problem = chain(count=5, size_bytes=22)
    plan = plan_hierarchy(problem, (DRAM,), objective="makespan", operator_s=[10.0] * 5)
    assert check_hierarchy(problem, (DRAM,), plan, [10.0] * 5) == []
    assert plan.makespan_s == pytest.approx(10 + 5 * 10 + 1)
    assert plan.status == "optimal"


def test_without_room_nothing_runs_ahead(chain) -> None:
    problem = chain(count=5, size_bytes=12)
    plan = plan_hierarchy(problem, (DRAM,), objective="makespan", operator_s=[10.0] * 5)
    assert plan.makespan_s == pytest.approx(5 * (10 + 10) + 1)
    assert plan.schedule_bound_s == pytest.approx(plan.makespan_s)


def test_a_full_scratchpad_is_fed_through_the_middle_level(chain, replay) -> None:
    """The next weights come from outside in 10 s while an operator runs, and only their last second, from the middle
    level, is waited for: one load at once, then five operators, four short reloads and the store."""
    problem = chain(count=5, size_bytes=12)
    plan = run_and_check(problem, SIMPLE, replay, "makespan", [10.0] * 5)
    assert plan.makespan_s == pytest.approx(10 + 5 * 10 + 4 * 1 + 1)
    assert sum(x.kind == "stage" for x in plan.transfers) == 4
    assert [b.noncompulsory_bytes for b in plan.borders] == [0, 0]


def test_constraint_programming_is_no_worse_than_the_list(drawn_problem, random_levels, monkeypatch) -> None:
    for seed in range(12):
        problem, levels = drawn_problem(2 * seed), random_levels(seed)
        exact = plan_hierarchy(problem, levels, objective="bytes")
        with monkeypatch.context() as patch:
            patch.setattr("dovetail.planner.scratchpad.hierarchy.solve.EXACT_TASKS", 0)
            listed = plan_hierarchy(problem, levels, objective="bytes")
        assert listed.schedule_bound_s <= exact.schedule_bound_s + 1e-9
        assert exact.schedule_bound_s == pytest.approx(exact.makespan_s)
        assert exact.makespan_s <= listed.makespan_s + 1e-9


@pytest.fixture
def chain():
    """`chain(count, size_bytes)`: x0 -> x1 -> ... of one byte each, with ten bytes of weights for each operator."""

    def build(count: int, size_bytes: int) -> ScratchpadProblem:
        tensors = [Tensor("x0", 1, "intermediate")] + [Tensor(f"w{i}", 10, "parameter") for i in range(count)]
        tensors += [Tensor(f"x{i + 1}", 1, "output" if i == count - 1 else "intermediate") for i in range(count)]
        operators = [Operator(f"op{i}", (1 + i, *((count + i,) if i else ())), (count + 1 + i,)) for i in range(count)]
        return ScratchpadProblem("chain", tuple(tensors), tuple(operators), size_bytes)

    return build


FAULTS = {
    "a transfer that is too short": lambda p: replace(
        p, transfers=(replace(p.transfers[0], end_s=p.transfers[0].start_s), *p.transfers[1:])
    ),
    "a transfer that is missing": lambda p: replace(p, transfers=p.transfers[1:]),
    "a store that is missing": lambda p: replace(p, transfers=tuple(x for x in p.transfers if x.kind != "store")),
    "all at one time": lambda p: replace(
        p, transfers=tuple(replace(x, start_s=0.0, end_s=x.end_s - x.start_s) for x in p.transfers)
    ),
    "holds at one address": lambda p: replace(p, holds=tuple(replace(h, offset=0) for h in p.holds)),
    "a hold beyond the level": lambda p: replace(p, holds=(replace(p.holds[0], offset=10**6), *p.holds[1:])),
    "a hold that ends early": lambda p: replace(
        p, holds=tuple(replace(h, to_s=(h.from_s + h.to_s) / 2) for h in p.holds)
    ),
    "operators at once": lambda p: replace(p, operators=tuple(replace(o, start_s=0.0) for o in p.operators)),
    "operators in reverse": lambda p: replace(p, order=p.order[::-1], operators=p.operators[::-1]),
    "an operator that is missing": lambda p: replace(p, order=p.order[1:], operators=p.operators[1:]),
    "fewer bytes": lambda p: replace(p, borders=(replace(p.borders[0], noncompulsory_bytes=0), *p.borders[1:])),
    "a bound above": lambda p: replace(p, makespan_bound_s=2 * p.makespan_s),
    "a shorter makespan": lambda p: replace(p, makespan_s=p.makespan_s * 0.9),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds(fault, drawn_problem) -> None:
    problem, levels = drawn_problem(4), (Level("sram", 3, 4.0, 0.1), DRAM)
    plan = plan_hierarchy(problem, levels)
    assert plan.borders[0].noncompulsory_bytes > 0
    assert check_hierarchy(problem, levels, plan) == []
    assert check_hierarchy(problem, levels, FAULTS[fault](plan)) != []


def test_streams_are_as_fast_as_the_slowest_border() -> None:
    levels = (Level("sram", 8, 4.0, 0.25), Level("dram", None, 2.0, 0.5))
    assert transfer_s(levels, 0, 1, 8) == 0.25 + 2
    assert transfer_s(levels, 1, 2, 8) == 0.5 + 4
    assert transfer_s(levels, 0, 2, 8) == 0.75 + 4
    assert transfer_s(levels, 0, 2, 0) == 0


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ((), "0 levels"),
        ((Level("a", 1, 1.0), Level("b", 1, 1.0), DRAM), "3 levels"),
        ((Level("a", 1, 1.0),), "outermost"),
        ((Level("dram", 1, 1.0), DRAM), "different names"),
        ((Level("scratchpad", None, 1.0),), "different names"),
        ((Level("a", None, 1.0), DRAM), "needs a size"),
        ((Level("a", -1, 1.0), DRAM), "-1 bytes"),
        ((Level("a", None, 0.0),), "bytes a second"),
        ((Level("a", None, float("nan")),), "bytes a second"),
        ((Level("a", None, 1.0, -1.0),), "latency"),
        ((Level("a", None, 1.0, 0.0, 0),), "0 channels"),
    ],
)
def test_levels_that_make_no_sense_are_refused(levels, words) -> None:
    with pytest.raises(InputError, match=words):
        plan_hierarchy(ScratchpadProblem("none", (), (), 0), levels)


def test_degenerate_problems(replay) -> None:
    empty = ScratchpadProblem("empty", (), (), 0)
    assert run_and_check(empty, SIMPLE, replay).makespan_s == 0
    nothing = (Tensor("a", 0, "input"), Tensor("b", 0, "output"))
    zero = ScratchpadProblem("zero", nothing, (Operator("op", (0, 0), (1,)),), 0)
    assert run_and_check(zero, (Level("sram", 0, 1.0, 1.0), DRAM), replay, "makespan").makespan_s == 0
    apart = ScratchpadProblem(
        "apart",
        tuple(Tensor(f"t{i}", 3, "output") for i in range(40)),
        tuple(Operator(f"op{i}", (), (i,)) for i in range(40)),
        4,
    )
    assert run_and_check(apart, (DRAM,), replay).borders[0].noncompulsory_bytes == 0
    with pytest.raises(Infeasible, match="op0"):
        plan_hierarchy(apart.with_size(2), (DRAM,))
    for wrong in ([1.0], [float("nan")] * 40, [-1.0] * 40):
        with pytest.raises(InputError, match="40 operators"):
            plan_hierarchy(apart, (DRAM,), operator_s=wrong)
