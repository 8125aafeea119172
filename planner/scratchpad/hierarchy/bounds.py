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

    Loads come from the outermost level at once, in a stream as slow as the slowest border; an output crosses each
    border by itself or in a stream, and takes at least its time there.
    """
    if not problem.operators:
        return 0.0

    def loading_s(tensors: Sequence[Tensor]) -> float:
        return sum(transfer_s(levels, 0, len(levels), t.bytes) for t in tensors if t.is_loaded)

    def storing_s(tensors: Sequence[Tensor], border: int) -> float:
        return sum(transfer_s(levels, border, border + 1, t.bytes) for t in tensors if t.kind == "output")

    touched = [[problem.tensors[t] for t in op.touched] for op in problem.operators]
    made = [[problem.tensors[t] for t in dict.fromkeys(op.outputs)] for op in problem.operators]
    every = [tensor for tensor, ops in zip(problem.tensors, problem.touches, strict=True) if ops]
    before, after = problem.predecessors, {p for direct in problem.predecessors for p in direct}
    narrowest = min(level.channels for level in levels)
    first = min(loading_s(touched[v]) for v in range(len(touched)) if not before[v]) / narrowest
    last = min(
        max(storing_s(made[v], b) / level.channels for b, level in enumerate(levels))
        for v in range(len(made))
        if v not in after
    )
    busy = (
        (loading_s(every) + storing_s(every, b) + beyond_bytes[b] / level.bytes_per_s) / level.channels
        for b, level in enumerate(levels)
    )
    path: list[float] = []
    for v, direct in enumerate(before):
        path.append(max((path[p] for p in direct), default=0.0) + operator_s[v])
    return max(first + sum(operator_s) + last, *busy, *path)
