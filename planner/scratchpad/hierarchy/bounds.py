"""A bound on the makespan that holds for every order and every plan."""

from __future__ import annotations

from collections.abc import Sequence

from ..problem import ScratchpadProblem, Tensor
from .level import Level, transfer_s


def makespan_bound(
    problem: ScratchpadProblem, levels: Sequence[Level], operator_s: Sequence[float], beyond_bytes: Sequence[int]
) -> float:
    """
    Seconds that no plan beats; `beyond_bytes` are lower bounds of what crosses each border beyond the compulsory.

        max( (first loads of some operator without predecessors) + sum of operator_s + (stores of the outputs of some
             operator without successors),   what keeps each border busy / its channels,   the longest path )     (78)

    Whatever crosses a border, in a stream or by itself, takes at least its time there.
    """
    if not problem.operators:
        return 0.0
    borders = range(len(levels))

    def moving_s(tensors: Sequence[Tensor], border: int) -> float:
        least = sum(transfer_s(levels, border, border + 1, t.bytes) for t in tensors)
        return least / levels[border].channels

    def loads(v: int) -> list[Tensor]:
        return [t for i in problem.operators[v].touched if (t := problem.tensors[i]).is_loaded]

    def stores(v: int) -> list[Tensor]:
        return [t for i in set(problem.operators[v].outputs) if (t := problem.tensors[i]).kind == "output"]

    before, after = problem.predecessors, {p for direct in problem.predecessors for p in direct}
    every = range(len(problem.operators))
    first = min(max(moving_s(loads(v), b) for b in borders) for v in every if not before[v])
    last = min(max(moving_s(stores(v), b) for b in borders) for v in every if v not in after)
    touched = [t for t, ops in zip(problem.tensors, problem.touches, strict=True) if ops and t.kind != "intermediate"]
    busy = (
        moving_s(touched, b) + beyond_bytes[b] / level.bytes_per_s / level.channels for b, level in enumerate(levels)
    )
    path: list[float] = []
    for v, direct in enumerate(before):
        path.append(max((path[p] for p in direct), default=0.0) + operator_s[v])
    return max(first + sum(operator_s) + last, *busy, *path)
