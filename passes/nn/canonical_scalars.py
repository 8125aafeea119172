"""Canonical forms of arithmetic: one way to write what exporters write in several."""

from __future__ import annotations

from math import inf, prod
from typing import Any

from ...ir import nn
from .draft import Draft, Patterns, Replacement
from .match import constant, is_constant

NEUTRAL: dict[type, tuple[float, bool]] = {
    nn.AddOp: (0.0, True),
    nn.SubOp: (0.0, False),
    nn.MulOp: (1.0, True),
    nn.DivOp: (1.0, False),
    nn.PowOp: (1.0, False),
    nn.MaxOp: (-inf, True),
    nn.MinOp: (inf, True),
}
"""Function -> what leaves the other operand as it is, and whether it may stand on the left too."""


def drop_neutral(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.mul"(%x, %one)
    after:  %x

    (L1) The operand that is left has the type of the result: the other one does not broadcast it.
    """
    number, either_side = NEUTRAL[type(op)]
    for kept, other in ((op.lhs, op.rhs), *(((op.rhs, op.lhs),) if either_side else ())):
        if constant(other) == number and kept.type == op.result.type:
            return [kept]
    return None


def broadcast_by_use(op: Any, draft: Draft) -> Replacement:
    """
    before: %t = "nn.broadcast"(%b) : (tensor<8xf32>) -> tensor<4x8xf32>;  %y = "nn.add"(%x, %t)
    after:  %y = "nn.add"(%x, %b)

    (L1) The operands that are left still broadcast to the shape of the result. It pays: the copies are never written.
    """
    operands = list(op.operands)
    for index, value in enumerate(operands):
        owner = value.owner
        if isinstance(owner, nn.BroadcastOp):
            operands[index] = owner.x
        elif isinstance(owner, nn.FillOp) and nn.shape_of(value):
            operands[index] = None  # becomes a scalar, once it is known that this is legal
    if all(new is old for new, old in zip(operands, op.operands, strict=True)):
        return None
    for index, value in enumerate(op.operands):
        shapes = [() if o is None else nn.shape_of(o) for o in operands]
        if nn.broadcast(shapes) == nn.shape_of(op.result):
            break
        operands[index] = value  # the shape of the result hangs on this one
    if all(new is old for new, old in zip(operands, op.operands, strict=True)):
        return None
    for index, value in enumerate(op.operands):
        if operands[index] is None:
            operands[index] = draft.emit(op, nn.FillOp, type=nn.with_shape(value, ()), value=constant(value))
    return [draft.emit(op, type(op), *operands)]


def spell_out_power(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.pow"(%x, 2)      3          0.5             -0.5             -1
    after:  %y = x * x                x * x * x  "nn.sqrt"(%x)   "nn.rsqrt"(%x)   1 / x
    """
    power = constant(op.rhs)
    if power is None or op.lhs.type != op.result.type or not nn.is_float(op.type.element_type):
        return None
    x = op.lhs
    match power:
        case 2.0:
            return [draft.emit(op, nn.MulOp, x, x)]
        case 3.0:
            return [draft.emit(op, nn.MulOp, draft.emit(op, nn.MulOp, x, x), x)]
        case 0.5:
            return [draft.emit(op, nn.SqrtOp, x)]
        case -0.5:
            return [draft.emit(op, nn.RsqrtOp, x)]
        case -1.0:
            return [draft.emit(op, nn.DivOp, draft.scalar(op, 1.0, x), x)]
    return None


def multiply_by_rsqrt(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %r = "nn.sqrt"(%v);  %y = "nn.div"(%x, %r)          1 / sqrt(v)
    after:  %r = "nn.rsqrt"(%v);  %y = "nn.mul"(%x, %r)         rsqrt(v)
    """
    root = op.rhs.owner
    if not isinstance(root, nn.SqrtOp) or len({use.operation for use in root.result.uses}) > 1:
        return None
    inverse = draft.emit(op, nn.RsqrtOp, root.x, at=[root])
    if is_constant(op.lhs, 1.0) and inverse.type == op.result.type:
        return [inverse]
    return [draft.emit(op, nn.MulOp, op.lhs, inverse)]


def reciprocal_root(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %r = "nn.div"(1, %v);  %y = "nn.sqrt"(%r)
    after:  %y = "nn.rsqrt"(%v)
    """
    over = op.x.owner
    if isinstance(over, nn.DivOp) and is_constant(over.lhs, 1.0) and over.rhs.type == op.result.type:
        return [draft.emit(op, nn.RsqrtOp, over.rhs, at=[over, op])]
    return None


def mean_of_sum(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %s = "nn.reduce"(%x) {kind = "sum", axes = a};  %y = %s / n     or * (1 / n)
    after:  %y = "nn.reduce"(%x) {kind = "mean", axes = a}

    (L1) n is how many elements are summed, the elements are floats, and nothing else uses the sum.
    """
    total, by = op.lhs.owner, constant(op.rhs)
    if isinstance(op, nn.MulOp) and not isinstance(total, nn.ReduceOp):
        total, by = op.rhs.owner, constant(op.lhs)
    if not isinstance(total, nn.ReduceOp) or total.kind.data != "sum" or not by or total.type != op.type:
        return None
    summed = prod(nn.shape_of(total.x)[axis] for axis in nn.ints(total.axes))
    if isinstance(summed, nn.Size) or not nn.is_float(op.type.element_type) or not total.result.has_one_use():
        return None
    if abs((by if isinstance(op, nn.DivOp) else 1 / by) - summed) > 1e-6 * summed:
        return None
    axes = nn.ints(total.axes)
    return [draft.emit(op, nn.ReduceOp, total.x, kind="mean", axes=axes, at=[total, op])]


def mean_of_view(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %s = "nn.reduce"(%x) {kind = "sum"};  %v = "nn.reshape"(%s);  %y = %v / n
    after:  %s = "nn.reduce"(%x) {kind = "sum"};  %m = %s / n;  %y = "nn.reshape"(%m)

    (L1) n is a scalar, so that the order of the two does not matter, and nothing else uses the view.
    """
    view, by = op.lhs.owner, op.rhs
    if not isinstance(view, nn.ReshapeOp) or not isinstance(view.x.owner, nn.ReduceOp):
        return None
    if not view.result.has_one_use() or nn.shape_of(by) or constant(by) is None:
        return None
    return [draft.emit(op, nn.ReshapeOp, draft.emit(op, type(op), view.x, by), type=op.type, at=[view])]


def cancel_negations(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.neg"(%x);  %y = "nn.neg"(%t)
    after:  %x
    """
    return [op.x.owner.x] if isinstance(op.x.owner, nn.NegOp) else None


def subtract_negation(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %n = "nn.neg"(%b);  %y = "nn.add"(%a, %n)      "nn.sub"(%a, %n)
    after:  %y = "nn.sub"(%a, %b)                          "nn.add"(%a, %b)
    """
    if not isinstance(op.rhs.owner, nn.NegOp) or not op.rhs.has_one_use():
        return None
    other = nn.SubOp if isinstance(op, nn.AddOp) else nn.AddOp
    return [draft.emit(op, other, op.lhs, op.rhs.owner.x, at=[op.rhs.owner, op])]


def constants_to_the_right(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.mul"(%c, %x)    where %c is a constant
    after:  %y = "nn.mul"(%x, %c)
    """
    if constant(op.lhs) is None or constant(op.rhs) is not None:
        return None
    return [draft.emit(op, type(op), op.rhs, op.lhs)]


BROADCAST = ("broadcast-by-use", broadcast_by_use)
_BINARY = {
    nn.AddOp: [("constant-to-the-right", constants_to_the_right), ("add-of-negation", subtract_negation)],
    nn.SubOp: [("add-of-negation", subtract_negation)],
    nn.MulOp: [
        ("mean-of-sum", mean_of_sum),
        ("constant-to-the-right", constants_to_the_right),
        ("mean-of-view", mean_of_view),
    ],
    nn.DivOp: [
        ("mean-of-sum", mean_of_sum),
        ("divide-by-root", multiply_by_rsqrt),
        ("mean-of-view", mean_of_view),
    ],
    nn.PowOp: [("power", spell_out_power)],
    nn.MaxOp: [("constant-to-the-right", constants_to_the_right)],
    nn.MinOp: [("constant-to-the-right", constants_to_the_right)],
}
PATTERNS: Patterns = {
    **{op: [BROADCAST] for op in (*nn.BINARY, *nn.COMPARISONS, nn.WhereOp)},
    **{op: [BROADCAST, ("neutral", drop_neutral), *_BINARY[op]] for op in NEUTRAL},
    nn.NegOp: [("negation-of-negation", cancel_negations)],
    nn.SqrtOp: [("root-of-reciprocal", reciprocal_root)],
}
