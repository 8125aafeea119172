"""The solver against every assignment and every order, where memory and links bind and where they do not."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from every_order import least_makespan, least_period
from small_graphs import forks, small

from dovetail.planner.op_placement.check import pipeline_faults, schedule_faults
from dovetail.planner.op_placement.problem import Answer, OpPlacementProblem, Pipeline, Schedule
from dovetail.planner.op_placement.solve import place

SEEDS = 100


def without_memory(p: OpPlacementProblem) -> OpPlacementProblem:
    return replace(p, devices=tuple(replace(d, memory_bytes=None) for d in p.devices))


def agreed(p: OpPlacementProblem, pipelined: bool) -> float:
    """The value that the solver and the search agree on; inf where there is none."""
    answer: Answer = place(p, pipelined)
    wanted = least_period(p) if pipelined else least_makespan(p)
    if wanted == inf:
        assert answer.status == "infeasible"
        return inf
    assert (answer.status, answer.value_ns, answer.gap) == ("optimal", wanted, 0)
    if pipelined:
        assert isinstance(answer.best, Pipeline)
        assert not pipeline_faults(p, answer.best)
    else:
        assert isinstance(answer.best, Schedule)
        assert not schedule_faults(p, answer.best)
    return wanted


def test_a_few_of_each() -> None:
    for seed in range(200, 212):
        for pipelined in (False, True):
            agreed(small(seed, pieces=4, memory=0.7), pipelined)
            agreed(forks(seed), pipelined)


@pytest.mark.slow
@pytest.mark.parametrize("pipelined", [False, True])
def test_memory_changes_the_answer(pipelined: bool, record_property) -> None:
    changed = infeasible = 0
    for seed in range(SEEDS):
        p = small(
            seed,
            pieces=4 + (not pipelined and seed % 3 == 0),
            devices=2 + (seed % 5 == 0),
            memory=0.75 if pipelined else 0.55,
        )
        bound, free = agreed(p, pipelined), agreed(without_memory(p), pipelined)
        changed += free < bound < inf
        infeasible += free < bound == inf
    record_property("summary", f"{2 * SEEDS} equal; memory changes {changed}, and leaves none in {infeasible}")
    assert changed >= 30


@pytest.mark.slow
@pytest.mark.parametrize("pipelined", [False, True])
def test_links_change_the_answer(pipelined: bool, record_property) -> None:
    changed = 0
    for seed in range(SEEDS):
        linked, apart = (agreed(forks(seed, linked=linked), pipelined) for linked in (True, False))
        changed += linked > apart
    record_property("summary", f"{2 * SEEDS} equal; links change {changed}")
    assert changed >= 30


def test_larger_graphs() -> None:
    for seed in range(1000, 1015):
        agreed(small(seed, pieces=6), False)
        agreed(small(seed, pieces=8), True)
