"""Where each tensor spends each gap between two touches when the order is given: an integer program over two levels.

Gap i of tensor a lies between its touches at the steps t_i and t_{i+1}; the boundary b is the moment before step b.
Binary x[a,i]: it stays in the scratchpad through the gap; h[a,i]: the middle level holds a copy through the gap, at the
boundaries t_i + 1 to t_{i+1}; p[a,i]: that copy is left behind by the transfer from the outermost level that filled the
scratchpad at the boundary t_i. Tensors are written once, so every copy stays valid. c1 and c2 are the costs of a byte
across the scratchpad's border and across the outer one:

    min  sum_a s_a (c1 (sum_i (1 - x[a,i]) + down_a) + c2 (sum_i u[a,i] + d_a))                                    (70)
    u[a,i] >= 1 - x[a,i] - h[a,i]                               reloaded from the outermost level                  (71)
    e[a,i] >= h[a,i] - h[a,i-1] - p[a,i],   p[a,i] <= u[a,i-1], p[a,i] <= h[a,i]     copied down after touch i     (72)
    d_a >= u[a,i]                               intermediates: the outermost level gets a copy, once               (73)
    g_a >= u[a,i] - sum_{k<i} h[a,k]            made tensors: it gets it from the scratchpad, not the middle level (74)
    down_a >= sum_i e[a,i] + g_a - o_a          o_a = 1 for graph outputs, which are written anyway                (75)
    step t:      sum of s_a x[a,i] over gaps across t <= M - need(t)                                               (76)
    boundary b:  sum of s_a h[a,i] over gaps at b + sum of s_a p[a,i] with t_i = b <= S                            (77)

For loaded tensors u[a,-1] = 1 (the first load may leave a copy) and d = g = 0; for graph outputs d = 0 and
g_a >= 1 - sum_i h[a,i].
Exact for the order, addresses apart, over plans in which a tensor spends each gap in one place; `fixed` keeps the
scratchpad's part as it is. With one level there are no h, p, e, and c2 = 0.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..problem import ScratchpadProblem
from .level import Level


@dataclass(frozen=True)
class Tiers:
    """By tensor and gap: whether it stays, whether the middle level holds it, and whether a reload left that copy."""

    order: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    """of each tensor's touches"""
    stays: tuple[tuple[bool, ...], ...]
    held: tuple[tuple[bool, ...], ...]
    passed: tuple[tuple[bool, ...], ...]
    is_optimal: bool
    """for the order"""


def choose_tiers(
    problem: ScratchpadProblem,
    order: Sequence[int],
    levels: Sequence[Level],
    *,
    fixed: Sequence[Sequence[bool]] | None = None,
    middle_bytes: int | None = None,
    time_limit_s: float | None = None,
) -> Tiers | None:
    """(70) to (77) along an order; None if nothing was found within the time limit [s].

    `fixed` are the x of a plan that has addresses; `middle_bytes` stands for the size of the middle level."""
    deadline = None if time_limit_s is None else time.perf_counter() + time_limit_s
    steps = _steps(problem, order)
    size = (levels[0].size_bytes or 0) if len(levels) > 1 else None
    program = _Program(problem, tuple(order), steps, size if middle_bytes is None else middle_bytes, levels)
    return program.solve(fixed, deadline)


def nothing_between(problem: ScratchpadProblem, order: Sequence[int], fixed: Sequence[Sequence[bool]]) -> Tiers:
    """The scratchpad's part as it is, and nothing in the middle level: tiers without a search."""
    none = tuple((False,) * len(kept) for kept in fixed)
    return Tiers(tuple(order), _steps(problem, order), tuple(map(tuple, fixed)), none, none, is_optimal=False)


def _steps(problem: ScratchpadProblem, order: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    at = {op: step for step, op in enumerate(order)}
    return tuple(tuple(sorted(at[op] for op in ops)) for ops in problem.touches)


class _Program:
    def __init__(
        self,
        problem: ScratchpadProblem,
        order: tuple[int, ...],
        steps: tuple[tuple[int, ...], ...],
        middle_bytes: int | None,
        levels: Sequence[Level],
    ) -> None:
        import pulp

        self.problem, self.order, self.steps, self.middle_bytes = problem, order, steps, middle_bytes
        self.pulp: Any = pulp
        self.m = pulp.LpProblem("tiers", pulp.LpMinimize)
        slowest = min(level.bytes_per_s for level in levels)
        self.costs = [slowest / level.bytes_per_s for level in levels] + [0.0] * (2 - len(levels))
        self.x = [self._gaps("x", t, len(s) - 1, problem.sizes[t] > 0) for t, s in enumerate(steps)]
        middle = middle_bytes is not None and middle_bytes > 0
        self.h = [self._gaps("h", t, len(s) - 1, middle and problem.sizes[t] > 0) for t, s in enumerate(steps)]
        self.p = [self._gaps("p", t, len(s) - 1, middle and problem.sizes[t] > 0) for t, s in enumerate(steps)]

    def _gaps(self, name: str, tensor: int, count: int, free: bool) -> list[Any]:
        """Binaries by gap; where there is nothing to choose, the constant: a tensor of no bytes stays."""
        if not free:
            return [1 if name == "x" else 0] * max(count, 0)
        return [self._binary(f"{name}_{tensor}_{i}") for i in range(count)]

    def _binary(self, name: str) -> Any:
        return self.m.add_variable(name, cat="Binary")

    def solve(self, fixed: Sequence[Sequence[bool]] | None, deadline: float | None) -> Tiers | None:
        pulp = self.pulp
        largest = max((t.bytes for t in self.problem.tensors), default=0) or 1
        costs = []
        for t, tensor in enumerate(self.problem.tensors):
            if deadline is not None and time.perf_counter() > deadline:
                return None
            costs.append(self._cost(t) * (tensor.bytes / largest))
        self.m += pulp.lpSum(costs)
        self._scratchpad_rows()
        self._middle_rows()
        for tensor, kept in enumerate(fixed or ()):
            for x, stays in zip(self.x[tensor], kept, strict=True):
                if not isinstance(x, int):
                    self.m += x == int(stays)
        if self.m.numVariables():
            left_s = None if deadline is None else deadline - time.perf_counter()
            if left_s is not None and left_s <= 0:
                return None
            solver = pulp.HiGHS(msg=False, threads=1, gapRel=0.0, timeLimit=left_s)
            self.m.solve(solver)
            if self.m.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
                return None
        return Tiers(
            self.order,
            self.steps,
            _chosen(self.x),
            _chosen(self.h),
            _chosen(self.p),
            not self.m.numVariables() or self.m.sol_status == pulp.LpSolutionOptimal,
        )

    def _cost(self, a: int) -> Any:
        """(70) of one tensor, per byte, with its (71) to (75)."""
        tensor, sum_of = self.problem.tensors[a], self.pulp.lpSum
        x, h, p = self.x[a], self.h[a], self.p[a]
        if not x or not self.problem.sizes[a]:
            return 0
        u = [self._binary(f"u_{a}_{i}") for i in range(len(x))]
        copied = []
        for i in range(len(x)):
            self.m += u[i] >= 1 - x[i] - h[i]
            if isinstance(h[i], int):
                continue
            reloaded = u[i - 1] if i else int(tensor.is_loaded)
            self.m += p[i] <= reloaded
            self.m += p[i] <= h[i]
            entry = self._binary(f"e_{a}_{i}")
            self.m += entry >= h[i] - (h[i - 1] if i else 0) - p[i]
            copied.append(entry)
        outer: Any = sum_of(u)
        down: Any = self.m.add_variable(f"down_{a}", lowBound=0)
        written: Any = 0
        if not tensor.is_loaded:
            written = self._binary(f"g_{a}")
            for i in range(len(x)):
                self.m += written >= u[i] - sum_of(h[:i])
        if tensor.kind == "output":
            self.m += written >= 1 - sum_of(h)
        elif not tensor.is_loaded:
            copy = self._binary(f"d_{a}")
            for each in u:
                self.m += copy >= each
            outer += copy
        self.m += down >= sum_of(copied) + written - (1 if tensor.kind == "output" else 0)
        return self.costs[0] * (sum_of(1 - each for each in x) + down) + self.costs[1] * outer

    def _scratchpad_rows(self) -> None:
        """(76), for the steps at which not all can stay."""
        sizes, across = self.problem.sizes, defaultdict(list)
        for a, touched in enumerate(self.steps):
            for i, (here, there) in enumerate(pairwise(touched)):
                for step in range(here + 1, there):
                    across[step].append((a, i))
        for step, gaps in across.items():
            room = self.problem.size_bytes - self.problem.need_bytes[self.order[step]]
            if sum(sizes[a] for a, _ in gaps) > room:
                self.m += self.pulp.lpSum(sizes[a] * self.x[a][i] for a, i in gaps if sizes[a]) <= room

    def _middle_rows(self) -> None:
        """(77), for the boundaries at which not all can be held."""
        if not self.middle_bytes:
            return
        sizes, held = self.problem.sizes, defaultdict(list)
        for a, touched in enumerate(self.steps):
            if not sizes[a]:
                continue
            for i, (here, there) in enumerate(pairwise(touched)):
                held[here].append(sizes[a] * self.p[a][i])
                for boundary in range(here + 1, there + 1):
                    held[boundary].append(sizes[a] * self.h[a][i])
        for terms in held.values():
            self.m += self.pulp.lpSum(terms) <= self.middle_bytes


def _chosen(variables: list[list[Any]]) -> tuple[tuple[bool, ...], ...]:
    return tuple(
        tuple(bool(v) if isinstance(v, int) else not math.isclose(v.varValue or 0.0, 0.0, abs_tol=0.5) for v in each)
        for each in variables
    )
