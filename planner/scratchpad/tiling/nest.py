"""An operator as a loop nest: loops with their extents, and the operands that each iteration touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Literal

Role = Literal["input", "output", "scratch", "state"]
NEST_KINDS = ("matmul", "convolution", "pool", "attention", "rows", "reduction", "elementwise")
"""What the body of a nest computes."""


@dataclass(frozen=True)
class Window:
    """An axis that a window slides over: index = stride * outer + dilation * inner - pad, within 0 .. size - 1."""

    outer: str
    """the loop over the places of the window"""
    inner: str
    """the loop over the elements inside it"""
    size: int
    stride: int = 1
    dilation: int = 1
    pad: int = 0


Axis = str | Window


@dataclass(frozen=True)
class Operand:
    """What the nest reads or makes: a tensor with an axis for each loop or window that indexes it.

    `input` and `output` lie outside or in the scratchpad. `scratch` (the scores of attention) lives in the tile alone
    and never moves. `state` (the running maximum and sum of attention) moves only where partial results do.
    """

    tensor: str
    axes: tuple[Axis, ...]
    element_bytes: int
    role: Role = "input"
    partial_bytes: int = 0
    """bytes of one partial sum of an output, in the tile and where it moves; 0: as many as of the element"""

    @cached_property
    def loops(self) -> frozenset[str]:
        """The loops that change which elements are touched."""
        found: set[str] = set()
        for axis in self.axes:
            found |= {axis} if isinstance(axis, str) else {axis.outer, axis.inner}
        return frozenset(found)

    @property
    def held_bytes(self) -> int:
        """Bytes of one element in a tile."""
        return max(self.partial_bytes, self.element_bytes)


@dataclass(frozen=True)
class Nest:
    """Loops, outermost first as they are listed (any order computes the same), and operands."""

    kind: str
    """one of NEST_KINDS: what the body computes, and its bound"""
    loops: tuple[tuple[str, int], ...]
    operands: tuple[Operand, ...]
    whole: frozenset[str] = frozenset()
    """loops that must not be tiled"""

    @cached_property
    def extent(self) -> dict[str, int]:
        """The number of iterations of each loop."""
        return dict(self.loops)

    @property
    def tensors(self) -> tuple[Operand, ...]:
        """The operands that are tensors of the graph."""
        return tuple(o for o in self.operands if o.role in ("input", "output"))

    def whole_bytes(self, operand: Operand) -> int:
        """The size of an operand [bytes]."""
        sizes = (self.extent[a] if isinstance(a, str) else a.size for a in operand.axes)
        return prod(sizes) * operand.element_bytes

    def without(self, tensors: Iterable[str]) -> Nest:
        """The nest whose operands `tensors` cost nothing: they lie whole in the scratchpad, or do not count."""
        gone = set(tensors)
        kept = (o for o in self.operands if o.tensor not in gone or o.role in ("scratch", "state"))
        return replace(self, operands=tuple(kept))
