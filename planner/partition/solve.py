"""Solves the partition problem with HiGHS: one thread, fixed seed; what it says is checked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pulp

from .check import check, taken
from .model import MICRO, build
from .problem import PartitionProblem, PartitionResult

GAP = 1e-7
"""relative gap at which a plan is called optimal"""


def solve(p: PartitionProblem, time_limit_s: float | None = None) -> PartitionResult:
    """The fastest plan that fits the memory; `infeasible` where none does, or none was found in time."""
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
    check(p, chosen, seconds)
    optimal = h.modelStatusToString(h.getModelStatus()) == "Optimal"
    bound = seconds if optimal else max(0.0, h.getInfo().mip_dual_bound / MICRO)
    return PartitionResult("optimal" if optimal else "feasible", tuple(chosen), seconds, bound)


def least_memory(p: PartitionProblem) -> float:
    """[bytes] below which no plan fits one device, to one part in a thousand."""
    high = max(
        (sum(stored * max(p.tensors[t].bytes.values()) for t, stored, _ in k.held) for k in p.moments), default=0
    )
    low = 0.0
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        found = solve(replace(p, memory_bytes=middle))
        low, high = (middle, high) if found.status == "infeasible" else (low, taken(p, found.ways).peak_bytes)
    return high
