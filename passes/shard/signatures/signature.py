"""What a sharding of one op is, and shardings that follow from how its axes map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.ir import Attribute, Operation, SSAValue

from ....ir import nn
from ..states import SUM, WHOLE, State, divides, partial, split

Labels = tuple[str | None, ...]
"""A name for each axis; axes of one name are split together, None is never split."""

Local = tuple[list[Operation], Sequence[SSAValue]]
"""What each rank runs for an op, and the results."""

Lower = Callable[["Mesh", Sequence[SSAValue]], Local]
"""Makes the local ops from local operands."""


@dataclass(frozen=True)
class Mesh:
    """The mesh axis that is sharded over, and its size."""

    axis: str
    ranks: int


@dataclass(frozen=True)
class Signature:
    """With operands in these states, every rank runs the op on what it holds and has results in those states."""

    operands: tuple[State, ...]
    results: tuple[State, ...]
    changes: tuple[tuple[str, Attribute], ...] = ()
    """attributes that differ in the local op"""
    lower: Lower | None = field(default=None, compare=False)
    """what each rank runs, where that is not the op itself"""

    def __str__(self) -> str:
        return f"{','.join(map(str, self.operands))}->{','.join(map(str, self.results))}"


@dataclass(frozen=True)
class AxisMap:
    """
    An op as in einsum notation: a label for each axis of each operand and result.

    A label in operands and results may be split in all of them; one in operands alone only if `reduced` says how the
    parts combine, and one in results alone where every rank can make its part by itself.
    """

    operands: tuple[Labels, ...]
    results: tuple[Labels, ...]
    reduced: Mapping[str, str] = field(default_factory=dict)
    """label that is reduced -> sum, max or min"""
    added: frozenset[int] = frozenset()
    """operands added to what is reduced, which must enter once: they are P(sum) where a reduced label is split"""
    linear: tuple[tuple[frozenset[int], str], ...] = ()
    """operands that give a partial result where they are partial and the others whole, and by which reduction"""
    changes: Mapping[str, Mapping[str, Attribute]] = field(default_factory=dict)
    """label -> attributes of the local op where that label is split"""

    def signatures(self, op: Operation, ranks: int) -> Iterator[Signature]:
        """All signatures of `op` that follow, the one that runs it whole first."""
        yield Signature((WHOLE,) * len(self.operands), (WHOLE,) * len(self.results))
        labels = dict.fromkeys(label for axes in (*self.operands, *self.results) for label in axes if label)
        for label in labels:
            if self._divides(op, label, ranks):
                yield self._split(label)
        for operands, reduction in self.linear:
            states = tuple(partial(reduction) if i in operands else WHOLE for i in range(len(self.operands)))
            yield Signature(states, (partial(reduction),) * len(self.results))

    def _divides(self, op: Operation, label: str, ranks: int) -> bool:
        values = (*op.operands, *op.results)
        sizes = [
            size
            for axes, value in zip((*self.operands, *self.results), values, strict=True)
            for at, size in zip(axes, nn.shape_of(value), strict=True)
            if at == label
        ]
        return all(divides(ranks, size) for size in sizes)

    def _split(self, label: str) -> Signature:
        reduction = self.reduced.get(label)

        def operand(index: int, axes: Labels) -> State:
            if label in axes:
                return split(axes.index(label))
            return SUM if reduction and index in self.added else WHOLE

        operands = tuple(operand(i, axes) for i, axes in enumerate(self.operands))
        whole = partial(reduction) if reduction else WHOLE
        results = tuple(split(axes.index(label)) if label in axes else whole for axes in self.results)
        return Signature(operands, results, tuple(self.changes.get(label, {}).items()))


Rule = Callable[..., AxisMap | Sequence[Signature]]
"""Called with the op and the number of ranks: its axis map, or its signatures but for the one that runs it whole."""
Rules = Mapping[type[Operation], Rule]


def whole(op: Operation) -> Signature:
    """Every rank runs the whole op."""
    return Signature((WHOLE,) * len(op.operands), (WHOLE,) * len(op.results))


def sets(*operands: int, reduction: str = "sum") -> tuple[tuple[frozenset[int], str], ...]:
    """`linear` of an op that passes a partial value of each of `operands` on, the others being whole."""
    return tuple((frozenset({i}), reduction) for i in operands)


def own_labels(shape: Sequence[int], prefix: str = "") -> Labels:
    """A label for each axis."""
    return tuple(f"{prefix}{i}" for i in range(len(shape)))


def aligned_labels(value: SSAValue, result: nn.Shape) -> Labels:
    """Labels of `value`, which broadcasts to `result`: those of the result's axes, None where it is repeated."""
    shape = nn.shape_of(value)
    first = len(result) - len(shape)
    return tuple(f"{first + i}" if size == result[first + i] else None for i, size in enumerate(shape))
