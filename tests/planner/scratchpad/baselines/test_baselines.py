"""What the baselines do is a plan that can be executed, and does what their definition says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dovetail.planner.scratchpad.baselines import REPLACEMENTS, baseline, baselines
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.peak import least_peak
from dovetail.planner.scratchpad.plan import assemble
from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor

Make = Callable[[int, int], ScratchpadProblem]


@pytest.mark.parametrize("seed", range(60))
def test_plans_can_be_executed(random_problem: Make, seed: int) -> None:
    problem = random_problem(seed, 5 + seed % 20)
    for order in (tuple(range(len(problem.operators))), least_peak(problem).order):
        for replacement in REPLACEMENTS:
            found = baseline(problem, order, replacement)
            assert found is not None
            assert check_plan(problem, assemble(found.residency, found.offsets, 0, 0.0)) == []


def _three_wanted_later(sizes: tuple[int, int, int], new: int, size: int) -> ScratchpadProblem:
    """a, b, c are made, then something new; then b, c and a are read in turn."""
    tensors = [Tensor(name, n) for name, n in zip("abc", sizes, strict=True)]
    tensors += [Tensor("new", new, "output"), *(Tensor(f"end{i}", 0, "output") for i in range(3))]
    ops = [Operator(name, (), (i,)) for i, name in enumerate("abc")]
    ops += [Operator("new", (), (3,))]
    ops += [Operator(f"read_{'abc'[t]}", (t,), (4 + i,)) for i, t in enumerate((1, 2, 0))]
    return ScratchpadProblem("three", tuple(tensors), tuple(ops), size)


def test_belady_drops_what_is_wanted_last_and_greedy_what_costs_least() -> None:
    problem = _three_wanted_later((5, 2, 5), 2, 12)
    far = baseline(problem, range(7), "belady")
    cheap = baseline(problem, range(7), "greedy")
    assert far is not None
    assert cheap is not None
    assert {problem.tensors[m.tensor].name for m in far.residency.moves} == {"a"}
    assert {problem.tensors[m.tensor].name for m in cheap.residency.moves} == {"b"}
    assert (far.residency.noncompulsory_bytes, cheap.residency.noncompulsory_bytes) == (10, 4)


def test_gaps_that_do_not_touch_are_no_room() -> None:
    # a and c could leave 4 bytes together, but b lies between them: a window holds b and one of them.
    problem = _three_wanted_later((2, 1, 2), 3, 5)
    found = baseline(problem, range(7), "greedy")
    assert found is not None
    assert {problem.tensors[m.tensor].name for m in found.residency.moves} == {"a", "b"}


def test_operands_that_split_the_space_are_laid_anew() -> None:
    # x lies at 2..4 of 6 when the join wants 4 bytes in one piece: x leaves and comes back.
    tensors = [Tensor("y", 2), Tensor("x", 2), Tensor("z", 0), Tensor("join", 4, "output")]
    ops = [Operator("y", (), (0,)), Operator("x", (), (1,)), Operator("z", (0,), (2,)), Operator("join", (1, 2), (3,))]
    problem = ScratchpadProblem("split", tuple(tensors), tuple(ops), 6)
    for replacement in REPLACEMENTS:
        found = baseline(problem, range(4), replacement)
        assert found is not None
        moves = [(m.kind, m.tensor, m.bytes) for m in found.residency.moves if m.bytes]
        assert moves == [("spill", 1, 2), ("reload", 1, 2)]
        assert check_plan(problem, assemble(found.residency, found.offsets, 0, 0.0)) == []


def test_below_the_largest_operator_no_baseline_runs() -> None:
    problem = _three_wanted_later((5, 2, 5), 2, 4)
    assert set(baselines(problem, range(7)).values()) == {None}


def test_with_all_the_room_nothing_moves(random_problem: Make) -> None:
    problem = random_problem(3, 20)
    problem = problem.with_size(sum(problem.sizes))
    assert set(baselines(problem, least_peak(problem).order).values()) == {0}
