"""An order and who is resident when: what engines hand to each other, without addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

from .problem import ScratchpadProblem


@dataclass(frozen=True)
class Stay:
    """A stretch of steps, both ends included, during which a tensor is resident without a break."""

    tensor: int
    start: int
    end: int


@dataclass(frozen=True)
class Move:
    """A crossing of the scratchpad's border beyond the compulsory traffic.

    A reload stands at the first step of the stay that it fills; a spill at the last step of the stay before.
    """

    step: int
    tensor: int
    kind: Literal["spill", "reload"]
    bytes: int


@dataclass(frozen=True)
class Residency:
    """An order of operators, and for each tensor its stays in order; a stay begins and ends with a touch."""

    problem: ScratchpadProblem
    order: tuple[int, ...]
    """operators by step"""
    stays: tuple[Stay, ...]
    """by tensor, then by start"""

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """Spills and reloads, by step: every stay but a tensor's first is reloaded; an intermediate tensor is written
        back once, when it first leaves."""
        found: list[Move] = []
        written: set[int] = set()
        last: Stay | None = None
        for stay in self.stays:
            if last is not None and last.tensor == stay.tensor:
                tensor = self.problem.tensors[stay.tensor]
                if not tensor.leaves_free and stay.tensor not in written:
                    written.add(stay.tensor)
                    found.append(Move(last.end, stay.tensor, "spill", tensor.bytes))
                found.append(Move(stay.start, stay.tensor, "reload", tensor.bytes))
            last = stay
        return tuple(sorted(found, key=lambda m: (m.step, m.kind == "reload", m.tensor)))

    @property
    def noncompulsory_bytes(self) -> int:
        """Traffic beyond the compulsory [bytes]."""
        return sum(move.bytes for move in self.moves)

    @cached_property
    def load_bytes(self) -> tuple[int, ...]:
        """Bytes resident at each step, sizes rounded up to the alignment."""
        change = [0] * (len(self.order) + 1)
        for stay in self.stays:
            change[stay.start] += self.problem.sizes[stay.tensor]
            change[stay.end + 1] -= self.problem.sizes[stay.tensor]
        total, loads = 0, []
        for step in range(len(self.order)):
            total += change[step]
            loads.append(total)
        return tuple(loads)

    @property
    def fits(self) -> bool:
        """Whether no step holds more than the scratchpad, addresses apart."""
        return all(load <= self.problem.size_bytes for load in self.load_bytes)


def residency_of(problem: ScratchpadProblem, order: Sequence[int], kept: Sequence[Sequence[bool]]) -> Residency:
    """The residency of an order in which tensor a stays through its gap i, between touches i and i + 1, where
    `kept[a][i]` says so."""
    at = {op: step for step, op in enumerate(order)}
    stays: list[Stay] = []
    for tensor, ops in enumerate(problem.touches):
        steps = sorted(at[op] for op in ops)
        if not steps:
            continue
        start = steps[0]
        for gap, (here, there) in enumerate(pairwise(steps)):
            if not kept[tensor][gap]:
                stays.append(Stay(tensor, start, here))
                start = there
        stays.append(Stay(tensor, start, steps[-1]))
    return Residency(problem, tuple(order), tuple(stays))
