"""The scratchpad problem as data: operators over tensors of known size, and a scratchpad that holds some of them.

One operator runs at a step, all its inputs and outputs resident. A tensor's first touch is free (it is created, or
loaded for the first time); whoever leaves and is wanted again must be reloaded, and an intermediate tensor is
written back once, the first time it leaves with a use still to come. Graph inputs and parameters have their copy
outside already, and graph outputs are written there anyway: they leave for free. What is counted is the traffic beyond
the compulsory: every graph input, parameter and graph output once each.

Source: COSMA (arXiv 2311.18246), section 3; the state-space form is `docs/math/scratchpad.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

KINDS = ("input", "parameter", "intermediate", "output")


@dataclass(frozen=True)
class Tensor:
    """A tensor of known size."""

    name: str
    bytes: int
    kind: str = "intermediate"
    """`input` and `parameter` come from outside, `intermediate` and `output` are made by an operator; an output may
    also be used by operators"""

    @property
    def is_loaded(self) -> bool:
        """Whether its first touch loads it."""
        return self.kind in ("input", "parameter")

    @property
    def leaves_free(self) -> bool:
        """Whether there is, or will be anyway, a copy outside: leaving costs no write."""
        return self.kind != "intermediate"


@dataclass(frozen=True)
class Operator:
    """An operator: what it reads and what it makes, as indices of tensors."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    type: str = ""

    @cached_property
    def touched(self) -> tuple[int, ...]:
        """Tensors that must be resident while it runs, each once, in order of first mention."""
        return tuple(dict.fromkeys((*self.inputs, *self.outputs)))


@dataclass(frozen=True)
class ScratchpadProblem:
    """Operators in their default order, tensors, and the size of the scratchpad."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    """in file order, which is topological"""
    size_bytes: int
    alignment_bytes: int = 1
    """offsets are multiples of this, and sizes count rounded up to it"""
    in_place: frozenset[tuple[int, int]] | None = None
    """(output, input whose buffer it may take over) of each operator that can work so; None: all of them can"""

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Bytes that each tensor takes in the scratchpad, rounded up to the alignment."""
        step = self.alignment_bytes
        return tuple(-(-tensor.bytes // step) * step for tensor in self.tensors)

    @cached_property
    def producer(self) -> tuple[int | None, ...]:
        """The operator that makes each tensor; None for what is loaded."""
        made: list[int | None] = [None] * len(self.tensors)
        for index, op in enumerate(self.operators):
            for tensor in op.outputs:
                made[tensor] = index
        return tuple(made)

    @cached_property
    def touches(self) -> tuple[tuple[int, ...], ...]:
        """The operators that touch each tensor, its producer among them, in file order."""
        found: list[list[int]] = [[] for _ in self.tensors]
        for index, op in enumerate(self.operators):
            for tensor in op.touched:
                found[tensor].append(index)
        return tuple(tuple(ops) for ops in found)

    @cached_property
    def predecessors(self) -> tuple[frozenset[int], ...]:
        """The operators that make what each operator reads."""
        return tuple(
            frozenset(p for t in op.inputs if (p := self.producer[t]) is not None and p != index)
            for index, op in enumerate(self.operators)
        )

    @cached_property
    def ancestors(self) -> tuple[int, ...]:
        """Everything before each operator in every order, as a bit set of operator indices."""
        before: list[int] = []
        for direct in self.predecessors:
            bits = 0
            for p in direct:
                bits |= before[p] | 1 << p
            before.append(bits)
        return tuple(before)

    @cached_property
    def need_bytes(self) -> tuple[int, ...]:
        """Bytes of all that each operator touches: below the largest of these nothing runs untiled."""
        return tuple(sum(self.sizes[t] for t in op.touched) for op in self.operators)

    @property
    def least_size_bytes(self) -> int:
        """M_R of the paper: what the largest operator needs."""
        return max(self.need_bytes, default=0)

    @cached_property
    def compulsory_bytes(self) -> int:
        """Traffic that no plan avoids: what is loaded and touched, and every output, once each, unrounded."""
        touched = (index for index, ops in enumerate(self.touches) if ops)
        return sum(t.bytes for index in touched if (t := self.tensors[index]).kind != "intermediate")

    def with_size(self, size_bytes: int) -> ScratchpadProblem:
        """The same graph on a scratchpad of another size."""
        return replace(self, size_bytes=size_bytes)

    def is_order(self, order: Sequence[int]) -> bool:
        """Whether `order` runs every operator once, after all that it depends on."""
        if sorted(order) != list(range(len(self.operators))):
            return False
        done: set[int] = set()
        for op in order:
            if not self.predecessors[op] <= done:
                return False
            done.add(op)
        return True


def moved_bytes(problem: ScratchpadProblem, tensors: Iterable[int]) -> int:
    """Bytes that cross the border of the scratchpad when each of `tensors` moves once, unrounded."""
    return sum(problem.tensors[t].bytes for t in tensors)
