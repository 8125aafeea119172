"""Addresses and what to keep, chosen together for a given order: where a residency has no layout, another may.

Tensor a is used at steps e0 < e1 < ...; adjacent steps form one run, a rectangle of its own with offset o. Between
run i and the next there is a gap: kept (g = 1), the tensor lies there too, at the same offset; otherwise it is
reloaded.

    (44)  min  sum_a s_a w_a + sum_{a,i} s_a (1 - g[a,i])      w_a >= 1 - g[a,i]  (w_a = 0 where leaving is free)
    (45)  g[a,i] = 1  =>  o[a,i+1] = o[a,i], and the rectangle of gap i is there
    (46)  no two rectangles that are there overlap

One no-overlap in two dimensions with optional rectangles, by constraint programming.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..problem import ScratchpadProblem
from ..residency import Residency, residency_of
from .extra import load_cp_model
from .verify import clashes


@dataclass(frozen=True)
class JointPlan:
    """A residency with addresses, and what is proved about it."""

    residency: Residency
    offsets: dict[int, int]
    """of each stay by its index [bytes]"""
    lower_bound_bytes: int
    """no plan with this order moves less, unless it moves a tensor between two adjacent steps that both use it"""


def keep_and_place(
    problem: ScratchpadProblem,
    order: Sequence[int],
    *,
    at_most_bytes: int | None = None,
    hint: Residency | None = None,
    time_limit_s: float | None = None,
) -> JointPlan | None:
    """The least traffic of an order with addresses, or the best found in time; None if none was found, or none moves
    `at_most_bytes` or less. `hint` is a residency of the same order to start from.

    Raises RuntimeError if the independent check finds an overlap: a fault of this package, never of its input.
    """
    cp_model = load_cp_model()
    joint = _Model(cp_model.CpModel(), problem, order)
    if joint.fails:
        return None
    if at_most_bytes is not None:
        joint.model.add(joint.traffic <= at_most_bytes)
    if hint is not None:
        joint.start_from(hint)
    joint.model.minimize(joint.traffic)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if time_limit_s is not None:
        solver.parameters.max_time_in_seconds = max(time_limit_s, 0.0)
    if solver.solve(joint.model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    residency, offsets = joint.read(solver)
    stays = [(s.start, s.end + 1, problem.sizes[s.tensor]) for s in residency.stays]
    if wrong := clashes(stays, [offsets[i] for i in range(len(stays))], problem.size_bytes, problem.alignment_bytes):
        raise RuntimeError(f"a wrong layout: {wrong[0]}")
    return JointPlan(residency, offsets, math.ceil(solver.best_objective_bound - 1e-6))


class _Model:
    def __init__(self, model: Any, problem: ScratchpadProblem, order: Sequence[int]) -> None:
        self.model, self.problem, self.order = model, problem, tuple(order)
        self.step = {op: step for step, op in enumerate(order)}
        self.fails = problem.least_size_bytes > problem.size_bytes
        self.kept: list[list[Any]] = []
        """of each tensor, for each gap between two touches: a literal, or True where they are adjacent"""
        self.offset: dict[tuple[int, int], Any] = {}
        """by tensor and the step at which a run begins, in units of the alignment"""
        self.traffic: Any = 0
        self._spans: tuple[list[Any], list[Any]] = ([], [])
        if not self.fails:
            for tensor in range(len(problem.tensors)):
                self._add(tensor)
            model.add_no_overlap_2d(*self._spans)

    def _steps(self, tensor: int) -> list[int]:
        return sorted(self.step[op] for op in self.problem.touches[tensor])

    def _add(self, tensor: int) -> None:
        """Rectangles and costs of one tensor."""
        model, bytes_ = self.model, self.problem.tensors[tensor].bytes
        kept: list[Any] = []
        steps = self._steps(tensor)
        begin = steps[0] if steps else 0
        for here, there in pairwise(steps):
            if there == here + 1 or not bytes_:
                kept.append(True)
                continue
            literal = model.new_bool_var("")
            kept.append(literal)
            offset = self._rectangle(tensor, begin, here + 1)
            self._rectangle(tensor, here + 1, there, offset, literal)
            model.add(self._offset(tensor, there) == offset).only_enforce_if(literal)
            begin = there
        if steps and bytes_:
            self._rectangle(tensor, begin, steps[-1] + 1)
        self.kept.append(kept)
        lost = [1 - literal for literal in kept if literal is not True]
        self.traffic += bytes_ * sum(lost)
        if lost and not self.problem.tensors[tensor].leaves_free:
            written = model.new_bool_var("")
            for literal in kept:
                if literal is not True:
                    model.add_implication(literal.negated(), written)
            self.traffic += bytes_ * written

    def _offset(self, tensor: int, begin: int) -> Any:
        if (tensor, begin) not in self.offset:
            unit = self.problem.alignment_bytes
            most = (self.problem.size_bytes - self.problem.sizes[tensor]) // unit
            self.offset[tensor, begin] = self.model.new_int_var(0, most, "")
        return self.offset[tensor, begin]

    def _rectangle(self, tensor: int, begin: int, end: int, offset: Any = None, literal: Any = True) -> Any:
        offset = self._offset(tensor, begin) if offset is None else offset
        size = self.problem.sizes[tensor] // self.problem.alignment_bytes
        times, spaces = self._spans
        times.append(self.model.new_optional_fixed_size_interval_var(begin, end - begin, literal, ""))
        spaces.append(self.model.new_optional_fixed_size_interval_var(offset, size, literal, ""))
        return offset

    def start_from(self, hint: Residency) -> None:
        ends = {(stay.tensor, stay.end) for stay in hint.stays}
        for tensor, kept in enumerate(self.kept):
            for literal, here in zip(kept, self._steps(tensor), strict=False):
                if literal is not True:
                    self.model.add_hint(literal, (tensor, here) not in ends)

    def read(self, solver: Any) -> tuple[Residency, dict[int, int]]:
        """What the solver chose; a stay lies where its first run does."""
        kept = [[literal is True or solver.boolean_value(literal) for literal in gaps] for gaps in self.kept]
        residency = residency_of(self.problem, self.order, kept)
        unit = self.problem.alignment_bytes
        return residency, {
            index: solver.value(self.offset[stay.tensor, stay.start]) * unit if self.problem.sizes[stay.tensor] else 0
            for index, stay in enumerate(residency.stays)
        }
