"""Solves the partition problem with HiGHS: one thread, fixed seed; what it says is checked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from time import monotonic
from typing import Any

import pulp

from .check import check, held_bytes, taken
from .model import MICRO, build
from .problem import PartitionProblem, PartitionResult

GAP = 1e-7
"""relative gap at which a plan is called optimal"""
ROUNDING = 1e-6
"""share of the memory that a plan may be over it by, as solvers round"""


def solve(p: PartitionProblem, time_limit_s: float | None = None) -> PartitionResult:
    """
    The fastest plan that fits the memory; `infeasible` where none does, or none was found in time.

    Moments enter the model as they are found to be too full: first that which is fullest with everything whole.
    """
    end = None if time_limit_s is None else monotonic() + time_limit_s
    known = {_fullest(p, [0] * len(p.steps))} if p.moments else set[int]()
    while True:
        left = None if end is None else max(0.01, end - monotonic())
        found = _solve(replace(p, moments=tuple(p.moments[k] for k in sorted(known))), left)
        if found.status == "infeasible" or not p.moments:
            return found
        fullest = _fullest(p, found.ways)
        if held_bytes(p, found.ways)[fullest] <= p.memory_bytes * (1 + ROUNDING) or fullest in known:
            check(p, found.ways, found.seconds)
            return found
        known.add(fullest)


def _fullest(p: PartitionProblem, ways: Sequence[int]) -> int:
    held = held_bytes(p, ways)
    return held.index(max(held))


def _solve(p: PartitionProblem, time_limit_s: float | None) -> PartitionResult:
    """One run of the solver on all moments of `p`."""
    m, v = build(p)
    engine = pulp.HiGHS(
        msg=False,
        threads=1,
        gapRel=GAP,
        gapAbs=1e-9,
        timeLimit=time_limit_s,
        random_seed=0,
        mip_feasibility_tolerance=1e-9,
        primal_feasibility_tolerance=1e-9,
    )
    with suppress(IndexError):  # PuLP reads row values, which HiGHS has none of where it found no solution
        m.solve(engine)
    h: Any = m.solverModel
    if h.getInfo().primal_solution_status != 2:
        return PartitionResult("infeasible")
    values = list(h.getSolution().col_value)
    chosen = [0] * len(p.steps)
    for (i, w), x in v.x.items():
        column: Any = x
        if values[column.index] > 0.5:
            chosen[i] = w
    seconds = taken(p, chosen).seconds
    optimal = h.modelStatusToString(h.getModelStatus()) == "Optimal"
    bound = seconds if optimal else max(0.0, h.getInfo().mip_dual_bound / MICRO)
    return PartitionResult("optimal" if optimal else "feasible", tuple(chosen), seconds, bound)


def least_memory(p: PartitionProblem, time_limit_s: float = inf) -> float:
    """[bytes] with which a plan fits one device: the least, to one part in a thousand, if the time suffices."""
    end = monotonic() + time_limit_s
    low, high = 0.0, taken(p, [0] * len(p.steps)).peak_bytes
    while high - low > 1e-3 * high and monotonic() < end:
        middle = (low + high) / 2
        found = solve(replace(p, memory_bytes=middle), None if end == inf else end - monotonic())
        low, high = (middle, high) if found.status == "infeasible" else (low, taken(p, found.ways).peak_bytes)
    return high
