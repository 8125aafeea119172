"""All engines agree on small random graphs, and every plan of every engine passes the validator and the machine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from exhaustive import exhaustive

from dovetail.planner.scratchpad import addresses
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.cosma import least_peak_by_cosma, plan_by_cosma
from dovetail.planner.scratchpad.plan import ScratchpadPlan, assemble
from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.residency import Residency
from dovetail.planner.scratchpad.search import gap, schedule
from dovetail.planner.scratchpad.solve import plan_scratchpad

RandomProblem = Callable[[int], ScratchpadProblem]
RunPlan = Callable[[ScratchpadProblem, ScratchpadPlan], int]


def cheapest(problem: ScratchpadProblem) -> Residency:
    found = exhaustive(problem)
    assert found is not None
    return found


def assert_engines_agree(problem: ScratchpadProblem, run_plan: RunPlan) -> None:
    least = cheapest(problem)
    assert least.fits
    moved = least.noncompulsory_bytes

    residency, bound = schedule(problem)
    assert (residency.noncompulsory_bytes, bound) == (moved, moved)
    assert residency.fits

    assert gap.keep(problem, least.order).noncompulsory_bytes == moved
    assert gap.belady(problem, least.order).noncompulsory_bytes >= moved

    plans = [plan_scratchpad(problem), plan_by_cosma(problem)]
    for found in (least, residency):
        offsets = addresses.place(found)
        if offsets is not None:
            plans.append(assemble(found, offsets, moved, 0.0))
    for plan in plans:
        assert check_plan(problem, plan) == []
        assert run_plan(problem, plan) == plan.noncompulsory_bytes
    # With addresses the optimum may be above the one without; COSMA has addresses.
    assert moved <= plans[0].noncompulsory_bytes <= plans[1].noncompulsory_bytes


def assert_in_place_agrees(problem: ScratchpadProblem, run_plan: RunPlan) -> None:
    least = exhaustive(problem, in_place=True)
    assert least is not None
    plan = plan_scratchpad(problem, in_place=True)
    assert check_plan(problem, plan) == []
    assert run_plan(problem, plan) == plan.noncompulsory_bytes
    assert plan.lower_bound_bytes <= least.noncompulsory_bytes <= plan.noncompulsory_bytes
    assert plan.noncompulsory_bytes <= plan_scratchpad(problem).noncompulsory_bytes
    if least.noncompulsory_bytes < plan.noncompulsory_bytes:
        assert plan.status == "feasible"


@pytest.mark.parametrize("index", range(40))
def test_engines_agree(index: int, drawn_problem: RandomProblem, run_plan: RunPlan) -> None:
    assert_engines_agree(drawn_problem(index), run_plan)


@pytest.mark.fuzz
@pytest.mark.parametrize("index", range(40, 540))
def test_engines_agree_on_many(index: int, drawn_problem: RandomProblem, run_plan: RunPlan) -> None:
    assert_engines_agree(drawn_problem(index), run_plan)


@pytest.mark.parametrize("index", range(40))
def test_operators_in_place_agree(index: int, drawn_problem: RandomProblem, run_plan: RunPlan) -> None:
    assert_in_place_agrees(drawn_problem(index), run_plan)


@pytest.mark.fuzz
@pytest.mark.parametrize("index", range(40, 540))
def test_operators_in_place_agree_on_many(index: int, drawn_problem: RandomProblem, run_plan: RunPlan) -> None:
    assert_in_place_agrees(drawn_problem(index), run_plan)


def test_half_of_the_drawn_problems_cannot_do_without_moves(drawn_problem: RandomProblem) -> None:
    moved = [cheapest(drawn_problem(index)).noncompulsory_bytes for index in range(0, 40, 2)]
    assert min(moved) > 0
    assert len(set(moved)) > 4


@pytest.mark.parametrize("seed", range(6))
def test_the_search_over_states_finds_what_all_orders_with_all_kept_gaps_find(
    seed: int, random_problem: RandomProblem
) -> None:
    """The reference itself, against the plainest count there is: GAP on every order."""
    problem = random_problem(4 * seed + 1)
    orders = (order for order in permutations(range(len(problem.operators))) if problem.is_order(order))
    assert cheapest(problem).noncompulsory_bytes == min(gap.keep(problem, o).noncompulsory_bytes for o in orders)


@pytest.mark.parametrize("seed", range(8))
def test_the_least_peak_is_the_least_size_without_moves(seed: int, random_problem: RandomProblem) -> None:
    problem = random_problem(seed)
    peak = least_peak_by_cosma(problem)
    assert peak is not None
    assert cheapest(problem.with_size(peak)).noncompulsory_bytes == 0
    if peak > problem.least_size_bytes:
        assert cheapest(problem.with_size(peak - 1)).noncompulsory_bytes > 0
