"""Bounds and upper bounds against the optimum; what a time limit leaves is still true."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.search import gap, schedule
from dovetail.planner.scratchpad.search.beam import beam_order
from dovetail.planner.scratchpad.search.bounds import cut_bound
from dovetail.planner.scratchpad.search.exact import Search
from dovetail.planner.scratchpad.search.split import Piece, whole
from dovetail.planner.scratchpad.search.tables import tables

Make = Callable[[int], ScratchpadProblem]
MEMORY = 200 << 20
ANY = 1 << 30


def layered(seed: int, operators: int, slots: int) -> ScratchpadProblem:
    """Operators that read up to three of the last ten tensors."""
    r = random.Random(seed)
    tensors, ops = [Tensor("x", r.randint(2, 6), "input")], []
    for i in range(operators):
        near = range(max(0, len(tensors) - 10), len(tensors))
        ops.append(Operator(f"op{i}", tuple(r.sample(near, min(len(near), r.randint(1, 3)))), (len(tensors),)))
        tensors.append(Tensor(f"t{i}", r.randint(2, 6), r.choice(["intermediate"] * 5 + ["output"])))
    problem = ScratchpadProblem("layered", tuple(tensors), tuple(ops), 0)
    return problem.with_size(problem.least_size_bytes + slots)


def optimum(piece: Piece, look_ahead: bool = False) -> int:
    search = Search(piece)
    if look_ahead:
        assert search.look_ahead(1 << 16)
    while not search.is_done:
        search.run(ANY, ANY, MEMORY)
    return search.bound


@pytest.mark.parametrize("seed", range(40))
def test_cut_never_exceeds_the_optimum(seed: int, random_problem: Make) -> None:
    piece = whole(random_problem(seed))
    assert cut_bound(piece) <= optimum(piece)


def test_cut_is_not_empty(random_problem: Make) -> None:
    assert any(cut_bound(whole(random_problem(seed))) > 0 for seed in range(40))


@pytest.mark.parametrize("seed", range(25))
def test_the_table_of_what_is_ahead_changes_no_answer(seed: int) -> None:
    piece = whole(layered(seed, 14, seed % 4))
    found = {optimum(one, ahead) for one in (piece, piece.reverse()) for ahead in (False, True)}
    assert len(found) == 1


@pytest.mark.parametrize("seed", range(25))
def test_the_table_never_exceeds_the_optimum_at_the_start(seed: int) -> None:
    piece = whole(layered(seed, 14, seed % 4))
    search = Search(piece)
    assert search.look_ahead(1 << 16)
    search.run(ANY, 3, MEMORY)
    assert search.bound <= optimum(piece)


@pytest.mark.parametrize("seed", range(10))
def test_beams_find_plans(seed: int) -> None:
    problem = layered(seed, 20, 2)
    piece = whole(problem)
    found = beam_order(tables(piece), 50, 1.0, seed, ANY)
    assert found is not None
    assert problem.is_order(found[1])
    kept, cost, proved = gap.keep_piece(piece, found[1])
    assert proved
    assert optimum(piece) <= cost <= found[0]
    assert gap.cost_of(piece, kept) == cost


@pytest.mark.parametrize("limit_s", [0.0, 0.05])
def test_a_time_limit_leaves_a_plan_and_a_bound(limit_s: float) -> None:
    problem = layered(3, 60, 0)
    residency, bound = schedule(problem, time_limit_s=limit_s)
    proved = schedule(problem, time_limit_s=10)
    assert residency.fits
    assert bound <= proved[0].noncompulsory_bytes
    assert proved[1] <= residency.noncompulsory_bytes
    assert proved[1] <= proved[0].noncompulsory_bytes


def test_an_operator_that_does_not_fit_is_named() -> None:
    problem = layered(1, 5, 0)
    with pytest.raises(ValueError, match="needs"):
        schedule(problem.with_size(problem.least_size_bytes - 1))
