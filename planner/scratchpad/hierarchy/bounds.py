"""Bounds that hold for every order and every plan."""

from __future__ import annotations

from collections.abc import Sequence

from ..problem import ScratchpadProblem
from .level import Level


def makespan_bound(
    problem: ScratchpadProblem, levels: Sequence[Level], operator_s: Sequence[float], border_bytes: Sequence[int]
) -> float:
    """
    Seconds that no plan beats; `border_bytes` are lower bounds of what crosses each border, the compulsory included.

        max( (first loads of some operator without predecessors) + sum of operator_s + (outputs of some operator
             without successors),   bytes / (bandwidth x channels) of each border,   the longest path )            (78)
    """
    if not problem.operators:
        return 0.0
    rates = [level.bytes_per_s * level.channels for level in levels]
    before, after = problem.predecessors, {p for direct in problem.predecessors for p in direct}

    def moving_s(tensors: Sequence[int], kinds: tuple[str, ...]) -> float:
        moved = sum(problem.tensors[t].bytes for t in set(tensors) if problem.tensors[t].kind in kinds)
        return moved / min(rates)

    first = min(moving_s(op.touched, ("input", "parameter")) for v, op in enumerate(problem.operators) if not before[v])
    last = min(moving_s(op.outputs, ("output",)) for v, op in enumerate(problem.operators) if v not in after)
    path: list[float] = []
    for v, direct in enumerate(before):
        path.append(max((path[p] for p in direct), default=0.0) + operator_s[v])
    busy = (moved / rate for moved, rate in zip(border_bytes, rates, strict=True))
    return max(first + sum(operator_s) + last, *busy, *path)
