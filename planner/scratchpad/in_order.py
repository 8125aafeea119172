"""Everything but the order at once: what is kept, where it lies, and which outputs take over buffers of inputs.

GAP with addresses and operators in place, as one constraint program (`addresses/joint.py` is it without the latter):
each touch of a tensor is a rectangle of one step, each gap between two touches one that is there if the tensor is kept,
at the address of both; an output that takes over an input's buffer has that address and no rectangle at its first
step. Exact for the order where time allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import Any, NamedTuple

from .addresses.extra import load_cp_model
from .in_place import Pair, SharedResidency, may_follow
from .problem import ScratchpadProblem
from .residency import residency_of


class Placed(NamedTuple):
    """A residency with the offset of each of its stays by index [bytes]."""

    shared: SharedResidency
    offsets: dict[int, int]


def keep_and_share(
    problem: ScratchpadProblem, order: Sequence[int], below_bytes: int, time_limit_s: float | None = None
) -> Placed | None:
    """The plan in place with the least traffic for this order, addresses included, or the best until the time limit;
    None if none was found that moves less than `below_bytes`."""
    return _Program(problem, order).solve(below_bytes, time_limit_s)


class _Program:
    def __init__(self, problem: ScratchpadProblem, order: Sequence[int]) -> None:
        self.problem, self.order = problem, order
        self.cp: Any = load_cp_model()
        self.model: Any = self.cp.CpModel()
        self.unit = gcd(*problem.sizes) or problem.alignment_bytes
        self.capacity = problem.size_bytes // self.unit
        step_of = {op: step for step, op in enumerate(order)}
        self.steps = [sorted(step_of[op] for op in ops) for ops in problem.touches]
        self.kept: list[list[Any]] = []
        self.offset: list[list[Any]] = []
        self.shares: dict[Pair, Any] = {}
        self.times: list[Any] = []
        self.spaces: list[Any] = []
        self.cost: list[Any] = []
        for tensor in range(len(problem.tensors)):
            self._add_tensor(tensor)
        for pair in self._possible_pairs():
            self._add_share(pair)
        self._add_first_touches()
        self.model.add_no_overlap_2d(self.times, self.spaces)
        self.model.minimize(sum(self.cost))

    def _rectangle(self, tensor: int, start: int, end: int, offset: Any, present: Any = True) -> None:
        """`tensor` at `offset` in start <= step < end, if `present`."""
        size = self.problem.sizes[tensor] // self.unit
        if not size or start == end:
            return
        at, name = self.model.new_optional_fixed_size_interval_var, f"{tensor} from {start}"
        self.times.append(at(start, end - start, present, name))
        self.spaces.append(at(offset, size, present, name))

    def _add_tensor(self, tensor: int) -> None:
        model, steps = self.model, self.steps[tensor]
        size = self.problem.sizes[tensor] // self.unit
        offsets = [model.new_int_var(0, self.capacity - size, f"offset {tensor} {step}") for step in steps]
        kept = [model.new_bool_var(f"kept {tensor} {step}") for step in steps[1:]]
        for index, (here, there) in enumerate(pairwise(steps)):
            model.add(offsets[index] == offsets[index + 1]).only_enforce_if(kept[index])
            self._rectangle(tensor, here + 1, there, offsets[index], kept[index])
            self._rectangle(tensor, there, there + 1, offsets[index + 1])
        moved = self.problem.tensors[tensor].bytes
        self.cost += [moved * keep.negated() for keep in kept]
        if kept and not self.problem.tensors[tensor].leaves_free:
            written = model.new_bool_var(f"written {tensor}")
            for keep in kept:
                model.add_bool_or(keep, written)
            self.cost.append(moved * written)
        self.offset.append(offsets)
        self.kept.append(kept)

    def _possible_pairs(self) -> list[Pair]:
        return [
            (output, given)
            for step, v in enumerate(self.order)
            for given in dict.fromkeys(self.problem.operators[v].inputs)
            if self.steps[given][-1] == step
            for output in self.problem.operators[v].outputs
            if may_follow(self.problem, output, given)
        ]

    def _add_share(self, pair: Pair) -> None:
        output, given = pair
        share = self.shares[pair] = self.model.new_bool_var(f"{output} takes over {given}")
        self.model.add(self.offset[output][0] == self.offset[given][-1]).only_enforce_if(share)

    def _add_first_touches(self) -> None:
        """An output has a rectangle of its own where it is made, unless it takes over another."""
        for position in (0, 1):
            for tensor in {pair[position] for pair in self.shares}:
                self.model.add_at_most_one(x for pair, x in self.shares.items() if pair[position] == tensor)
        for tensor, steps in enumerate(self.steps):
            if not steps:
                continue
            taking = [x for (output, _), x in self.shares.items() if output == tensor]
            alone: Any = True
            if taking:
                alone = self.model.new_bool_var(f"{tensor} alone")
                self.model.add(sum(taking) + alone == 1)
            self._rectangle(tensor, steps[0], steps[0] + 1, self.offset[tensor][0], alone)

    def solve(self, below_bytes: int, time_limit_s: float | None) -> Placed | None:
        self.model.add(sum(self.cost) < below_bytes)
        solver = self.cp.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        if time_limit_s is not None:
            solver.parameters.max_time_in_seconds = time_limit_s
        if solver.solve(self.model) not in (self.cp.OPTIMAL, self.cp.FEASIBLE):
            return None
        kept = [[bool(solver.value(keep)) for keep in gaps] for gaps in self.kept]
        residency = residency_of(self.problem, self.order, kept)
        place = [dict(zip(steps, at, strict=True)) for steps, at in zip(self.steps, self.offset, strict=True)]
        offsets = {
            index: solver.value(place[stay.tensor][stay.start]) * self.unit
            for index, stay in enumerate(residency.stays)
        }
        pairs = tuple(pair for pair, share in self.shares.items() if solver.value(share))
        return Placed(SharedResidency(residency, pairs), offsets)
