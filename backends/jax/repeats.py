"""
Layers of a network that are equal but for their weights: they become one function, which is called for each.

A layer is a stretch of ops that is repeated at once, one after another: op by op of one kind, with equal attributes and
types, and joined alike. What it uses from outside are its arguments, a weight that others use too among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from xdsl.ir import Operation, SSAValue

from ...ir import nn

LEAST = 6
"""statements of a layer: fewer are read faster where they stand"""
MOST_ENDS = 6
"""arguments and results of a layer together"""
SEPARATORS = "._/:-"
"""what stands between the parts of a weight's name"""


@dataclass(frozen=True)
class Layer:
    """One of some equal layers."""

    ops: tuple[Operation, ...]
    args: tuple[SSAValue, ...]
    """what it uses from outside, in order of first use"""
    results: tuple[SSAValue, ...]
    """what one of the equal layers gives to the outside"""
    weights: tuple[str, ...]
    """that nobody else uses, in order of first use"""
    shape: tuple[object, ...]
    """what equal layers have in common"""

    @cached_property
    def prefix(self) -> str:
        """How the names of all its weights begin, up to a separator."""
        first, last = min(self.weights, default=""), max(self.weights, default="")
        same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        start = first[:same]
        return start[: max((start.rfind(sign) for sign in SEPARATORS), default=-1) + 1]

    @property
    def short_names(self) -> list[str]:
        """The names of its weights behind the prefix."""
        return [name[len(self.prefix) :] for name in self.weights]


@dataclass(frozen=True)
class Repeat:
    """Equal layers, in the order in which they run."""

    layers: tuple[Layer, ...]

    @property
    def named_alike(self) -> bool:
        """Whether the names of weights tell the layers apart, and are equal behind that."""
        first = self.layers[0]
        starts = {layer.prefix for layer in self.layers}
        alike = all(layer.short_names == first.short_names for layer in self.layers)
        return alike and len(starts) == len(self.layers) and "" not in starts


def inlined(op: Operation) -> bool:
    """Whether `op` stands where it is used: a weight, one in another shape, and a number in elementwise ops."""
    match op:
        case nn.WeightOp():
            return True
        case nn.FillOp():
            return not op.type.get_shape() and all(_takes_literal(use.operation) for use in op.result.uses)
        case nn.ReshapeOp():
            return isinstance(op.x.owner, nn.WeightOp)
    return False


def _takes_literal(op: Operation) -> bool:
    """Whether `op` is elementwise and some operand of it is a tensor that gives the result its type."""
    elementwise = isinstance(op, nn.ElementwiseOp | nn.FusedElementwiseOp)
    return elementwise and not all(isinstance(o.owner, nn.FillOp) for o in op.operands)


def repeats_in(ops: Sequence[Operation]) -> list[Repeat]:
    """The repeats among `ops`, the statements of a function; those that save most come first, and none overlap."""
    users = _users(ops)
    free = np.ones(len(ops), bool)
    found = []
    for begin, length, period in _stretches(ops):
        if free[begin : begin + length + period].all():
            made = [repeat for start in range(begin, begin + length % period + 1)
                    if (repeat := _repeat(ops, start, period, length // period + 1, users))]  # fmt: skip
            if made:
                best = min(made, key=lambda each: (not each.named_alike, _ends(each)))
                found.append(best)
                taken = {op for layer in best.layers for op in layer.ops}
                free &= np.array([op not in taken for op in ops])
    return found


def _stretches(ops: Sequence[Operation]) -> list[tuple[int, int, int]]:
    """(first, length, period): ops from `first` on that are each of the kind of the one a period later; best first."""
    kinds: dict[tuple[object, ...], int] = {}
    codes = np.array([kinds.setdefault(_kind(op), len(kinds)) for op in ops], np.int64)
    found = []
    for period in range(LEAST, len(codes) // 2 + 1):
        same = np.concatenate([[0], codes[:-period] == codes[period:], [0]])
        edges = np.flatnonzero(np.diff(same))
        found += [(int(a), int(b - a), period) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= period]
    return sorted(found, key=lambda each: (-(each[1] // each[2]) * each[2], each[2], each[0]))


def _kind(op: Operation) -> tuple[object, ...]:
    """What two ops have in common that may stand at the same place of equal layers."""
    attributes = {**op.properties, **op.attributes}
    types = (*(value.type for value in op.operands), *(value.type for value in op.results))
    return (op.name, tuple(sorted((key, str(value)) for key, value in attributes.items())), *map(str, types))


def _users(ops: Sequence[Operation]) -> dict[str, set[Operation]]:
    """The statements that use each weight."""
    users: dict[str, set[Operation]] = {}
    for op in ops:
        for operand in op.operands:
            if (weight := _weight(operand)) is not None:
                users.setdefault(weight, set()).add(op)
    return users


def _weight(value: SSAValue) -> str | None:
    """The weight that `value` is, in whatever shape."""
    owner = value.owner
    if isinstance(owner, nn.ReshapeOp):
        owner = owner.x.owner
    return owner.weight.data if isinstance(owner, nn.WeightOp) else None


def _repeat(
    ops: Sequence[Operation], start: int, period: int, count: int, users: Mapping[str, set[Operation]]
) -> Repeat | None:
    """So many layers from `start` on; None where they are not joined alike."""
    parts = [tuple(ops[start + n * period : start + (n + 1) * period]) for n in range(count)]
    given = [list(_given(part)) for part in parts]
    places = sorted({place for each in given for place in each})
    layers = tuple(_layer(part, [part[at].results[i] for at, i in places], users) for part in parts)
    repeat = Repeat(layers)
    alike = len({layer.shape for layer in layers}) == 1
    return repeat if alike and places and _ends(repeat) <= MOST_ENDS else None


def _ends(repeat: Repeat) -> int:
    return len(repeat.layers[0].args) + len(repeat.layers[0].results)


def _given(part: Sequence[Operation]) -> Iterator[tuple[int, int]]:
    """(op, result) of what a layer gives to the outside."""
    inside = set(part)
    for at, op in enumerate(part):
        for i, result in enumerate(op.results):
            if any(use.operation not in inside for use in result.uses):
                yield at, i


def _layer(part: tuple[Operation, ...], results: Sequence[SSAValue], users: Mapping[str, set[Operation]]) -> Layer:
    """The stretch `part` as a layer that gives `results`."""
    inside = set(part)
    made: dict[SSAValue, tuple[int, int]] = {
        result: (at, i) for at, op in enumerate(part) for i, result in enumerate(op.results)
    }
    args: dict[SSAValue, int] = {}
    weights: dict[str, int] = {}
    shape: list[object] = []
    for op in part:
        for operand in op.operands:
            name = _weight(operand)
            if operand in made:
                shape.append(("made", made[operand]))
            elif name is not None and users[name] <= inside:
                plain = isinstance(operand.owner, nn.WeightOp)
                shape.append(("weight", weights.setdefault(name, len(weights)), plain))
            elif isinstance(operand.owner, nn.FillOp) and inlined(operand.owner):
                shape.append(("number", str(operand.owner.value)))
            else:
                shape.append(("given", args.setdefault(operand, len(args))))
    return Layer(part, tuple(args), tuple(results), tuple(weights), tuple(shape))
