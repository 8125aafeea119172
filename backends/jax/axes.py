"""
Names of axes for the comments of emitted code: batch n or b, channels c, image h and w, head h, sequence s, width d.

Convolutions, pools, norms of images and attention say what their axes are; an axis keeps its name through every op by
which it can be split among devices, for that maps it to an axis of the result (`passes/shard/signatures`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...passes.shard.signatures import signatures_of

Axis = tuple[SSAValue, int]

IMAGE = {3: "ncl", 4: "nchw", 5: "ncdhw"}
"""axes of images, by rank"""
WINDOWED = (nn.ConvOp, nn.ConvTransposeOp, nn.MaxPoolOp, nn.AveragePoolOp, nn.BatchNormOp, nn.GroupNormOp)


class AxisNames:
    """What the axes of the values of some ops are called."""

    def __init__(self, ops: Sequence[Operation]) -> None:
        self._same: dict[Axis, Axis] = {}
        self._names: dict[Axis, str] = {}
        for op in ops:
            for one, other in _kept(op):
                self._same[self._first(one)] = self._first(other)
        for op in ops:
            for value, names in _said(op):
                for axis, name in enumerate(names):
                    self._names.setdefault(self._first((value, axis)), name)

    def _first(self, axis: Axis) -> Axis:
        """The axis that stands for all that are the same."""
        while axis in self._same and self._same[axis] != axis:
            self._same[axis] = axis = self._same.get(self._same[axis], self._same[axis])
        return axis

    def shown(self, value: SSAValue) -> str:
        """The shape of `value` with names where they are known: `(n 1, c 64, h 56, w 56)`, else as Python has it."""
        shape = nn.shape_of(value)
        names = [self._names.get(self._first((value, axis)), "") for axis in range(len(shape))]
        if not any(names):
            return str(shape)
        return f"({', '.join(f'{name} {size}'.strip() for name, size in zip(names, shape, strict=True))})"


def _kept(op: Operation) -> Iterator[tuple[Axis, Axis]]:
    """Pairs of axes that are the same: those that ranks split together, if none is joined or cut on the way."""
    values = (*op.operands, *op.results)
    for signature in signatures_of(op, 1):
        states = zip(values, (*signature.operands, *signature.results), strict=True)
        split = [(value, state.axis) for value, state in states if state.kind == "S"]
        for value, axis in split[1:]:
            if nn.shape_of(value)[axis] == nn.shape_of(split[0][0])[split[0][1]]:
                yield split[0], (value, axis)


def _said(op: Operation) -> Iterator[tuple[SSAValue, str]]:
    """Values whose axes the op itself names."""
    match op:
        case nn.AttentionOp():
            yield from ((op.q, "bhsd"), (op.k, "bhtd"), (op.v, "bhtd"), (op.results[0], "bhsd"))
        case nn.RotaryOp():
            yield op.x, "bhsd"
        case _ if isinstance(op, WINDOWED):
            for value in (op.operands[0], op.results[0]):
                yield value, IMAGE.get(len(nn.shape_of(value)), "")
