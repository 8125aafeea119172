"""`cancel-transposes`: transposes move down to others, with which they merge or cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .canonical_layout import PATTERNS as LAYOUT
from .draft import Draft, Patterns, Replacement, sweep
from .match import is_known
from .nn_pass import NnPass

FURTHEST = 32
"""ops that a transpose is followed past, to see whether another one comes"""
THROUGH = (*nn.UNARY, *nn.BINARY, *nn.COMPARISONS, nn.WhereOp, nn.CastOp, nn.SoftmaxOp, nn.ReduceOp, nn.ConcatOp)
"""Ops that do the same to a transposed tensor, their axes renamed."""


def sink(op: Operation, draft: Draft) -> Replacement:
    """
    before: %t = "nn.transpose"(%x) {permutation = p};  %y = "nn.relu"(%t);  %z = "nn.transpose"(%y) {permutation = q}
    after:  %y = "nn.relu"(%x);  %t = "nn.transpose"(%y) {permutation = p};  %z = ...            which then merge
    """
    order = can_sink(op)
    if order is None or not should_sink(op):
        return None
    inverse = [order.index(axis) for axis in range(len(order))]
    operands = [_before(op, value, order, inverse, draft) for value in op.operands]
    made = draft.put(op, _renamed(op, operands, order))
    return [draft.emit(op, nn.TransposeOp, made.results[0], permutation=order)]


def can_sink(op: Operation) -> nn.Shape | None:
    """
    The permutation that may stand behind `op` and not before it; None where there is none.

    (L1) Operands are transposes by one permutation that `op` alone uses, single numbers, or known before the run, so
    that they can be transposed then. (L2) The result has as many axes as the permutation.
    """
    orders: set[nn.Shape] = set()
    for value in op.operands:
        owner = value.owner
        if isinstance(owner, nn.TransposeOp):
            if len({use.operation for use in value.uses}) > 1:
                return None
            orders.add(nn.ints(owner.permutation))
        elif nn.shape_of(value) and (isinstance(op, nn.ConcatOp) or not is_known(value)):
            return None
    if len(orders) != 1:
        return None
    order = next(iter(orders))
    return order if len(nn.shape_of(op.results[0])) == len(order) else None


def should_sink(op: Operation) -> bool:
    """
    Whether that leaves fewer transposes: several become one, or another comes behind `op`, past ops that it can sink
    through too, and the two become one at most.
    """
    if sum(isinstance(value.owner, nn.TransposeOp) for value in dict.fromkeys(op.operands)) > 1:
        return True
    value = op.results[0]
    for _ in range(FURTHEST):
        users = {use.operation for use in value.uses}
        user = next(iter(users), None)
        if len(users) != 1 or user is None:
            return False
        if isinstance(user, nn.TransposeOp):
            return True
        others = [other for other in user.operands if other is not value]
        if not isinstance(user, THROUGH) or not all(_gives_way(other) for other in others):
            return False
        value = user.results[0]
    return False


def _gives_way(value: SSAValue) -> bool:
    """Whether `value` beside a transposed tensor lets the transpose sink."""
    return not nn.shape_of(value) or is_known(value) or isinstance(value.owner, nn.TransposeOp)


def _before(op: Operation, value: SSAValue, order: nn.Shape, inverse: list[int], draft: Draft) -> SSAValue:
    """What stands for the operand `value` once the transpose is behind."""
    if isinstance(value.owner, nn.TransposeOp) and nn.ints(value.owner.permutation) == order:
        return value.owner.x
    shape = nn.shape_of(value)
    if not shape:
        return value
    if len(shape) < len(order):
        padded = (*[1] * (len(order) - len(shape)), *shape)
        value = draft.emit(op, nn.ReshapeOp, value, type=nn.with_shape(value, padded))
    return draft.emit(op, nn.TransposeOp, value, permutation=inverse)


def _renamed(op: Operation, operands: list[SSAValue], order: nn.Shape) -> nn.TensorOp:
    """`op` on `operands`, whose axis order[i] is what axis i was."""
    match op:
        case nn.SoftmaxOp() | nn.ConcatOp():
            return type(op).make(*operands, axis=order[nn.integer(op.axis)])
        case nn.ReduceOp():
            axes = sorted(order[axis] for axis in nn.ints(op.axes))
            return nn.ReduceOp.make(*operands, kind=op.kind, axes=axes)
        case nn.CastOp():
            return nn.CastOp.make(*operands, type=nn.tensor(op.type.element_type, nn.shape_of(operands[0])))
    assert isinstance(op, nn.TensorOp)
    return type(op).make(*operands)


PATTERNS: Patterns = {
    **{kind: [("sink", sink)] for kind in THROUGH},
    nn.TransposeOp: LAYOUT[nn.TransposeOp],
}


@dataclass(frozen=True)
class CancelTransposesPass(NnPass):
    """
    Moves transposes down through ops that do the same to each element or along renamed axes, where they meet others.

    before: transpose to (n, h, w, c), bias, relu, transpose to (n, c, h, w)      as between convolutions of exporters
    after:  bias, relu

    Promise: `main` computes the same; there are never more transposes of what is computed at run time than before, and
    those of weights are folded by `fold-constants`.
    """

    name: ClassVar[str] = "cancel-transposes"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
