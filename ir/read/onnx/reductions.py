"""Reductions, running sums and the largest few."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from ... import nn
from ..spelt_out import falling
from .node import Handler, Node, Result, Unreadable, axes_within

Step = Callable[[Node, SSAValue], SSAValue]


def _nothing(node: Node, x: SSAValue) -> SSAValue:
    return x


def _square(node: Node, x: SSAValue) -> SSAValue:
    return node.emit(nn.MulOp, x, x)


def _apply(op: type[nn.TensorOp]) -> Step:
    return lambda node, x: node.emit(op, x)


def _reduce(kind: str, before: Step = _nothing, after: Step = _nothing) -> Handler:
    """`after` of the reduction of `before` of each element."""

    def read(node: Node) -> Result:
        x = node.tensor(0)
        shape = nn.shape_of(x)
        given = node.given("axes", 1) or ()
        axes = tuple(sorted(axes_within(given, len(shape))))
        if not axes and not node.attribute("noop_with_empty_axes", 0):
            axes = tuple(range(len(shape)))
        _require_extreme(kind, x, axes)
        reduced = after(node, node.emit(nn.ReduceOp, before(node, x), kind=kind, axes=axes))
        if node.attribute("keepdims", 1):
            return reduced
        return node.reshaped(reduced, [size for i, size in enumerate(shape) if i not in axes])

    return read


def _require_extreme(kind: str, x: SSAValue, axes: tuple[int, ...]) -> None:
    """Unreadable for the least or greatest of no integers of 64 bits: code for devices holds them in 32."""
    element, nothing = nn.tensor_type(x).element_type, any(nn.shape_of(x)[axis] == 0 for axis in axes)
    if kind in ("max", "min") and nothing and nn.is_integer(element) and nn.bits_of(element) > 32:
        raise Unreadable(f"there is no {kind} of no integers")


def _log_sum_exp(node: Node) -> Result:
    """Shifted by the maximum, so that nothing overflows."""
    x = node.tensor(0)
    shape = nn.shape_of(x)
    given = node.given("axes", 1) or ()
    axes = tuple(sorted(axes_within(given, len(shape)))) or tuple(range(len(shape)))
    top = node.emit(nn.ReduceOp, x, kind="max", axes=axes)
    total = node.emit(nn.ReduceOp, node.emit(nn.ExpOp, node.emit(nn.SubOp, x, top)), kind="sum", axes=axes)
    result = node.emit(nn.AddOp, node.emit(nn.LogOp, total), top)
    if node.attribute("keepdims", 1):
        return result
    return node.reshaped(result, [size for i, size in enumerate(shape) if i not in axes])


def _arg(least: bool) -> Handler:
    def read(node: Node) -> Result:
        x, axis = node.tensor(0), node.axis(node.attribute("axis", 0))
        key = falling(node.emit, x) if least else x
        if node.attribute("select_last_index", 0):  # the first one from the end
            behind = node.emit(nn.ArgMaxOp, node.emit(nn.ReverseOp, key, axes=(axis,)), axis=axis)
            found = node.emit(nn.SubOp, node.fill(behind, nn.shape_of(x)[axis] - 1), behind)
        else:
            found = node.emit(nn.ArgMaxOp, key, axis=axis)
        if node.attribute("keepdims", 1):
            return found
        return node.reshaped(found, [n for i, n in enumerate(nn.shape_of(x)) if i != axis])

    return read


def _top_k(node: Node) -> Result:
    """The number is an attribute before opset 10 and an input since."""
    x, axis = node.tensor(0), node.axis(node.attribute("axis", -1))
    (k,) = node.integers(1) if node.has(1) else (node.attribute("k"),)
    if node.attribute("largest", 1):
        return node.emit_all(nn.TopKOp, x, k=k, axis=axis)
    values, places = node.emit_all(nn.TopKOp, falling(node.emit, x), k=k, axis=axis)
    return [falling(node.emit, values), places]


def _cum_sum(node: Node) -> Result:
    (axis,) = node.integers(1)
    flags = {"exclusive": node.attribute("exclusive", 0), "reverse": node.attribute("reverse", 0)}
    return node.emit(nn.CumSumOp, node.tensor(0), axis=node.axis(axis), **flags)


def _hardmax(node: Node) -> Result:
    """1 where the first largest element along the axis is, else 0."""
    x = node.tensor(0)
    axis = node.axis(node.attribute("axis", 1 if node.opset < 13 else -1))
    if node.opset < 13 and axis != len(nn.shape_of(x)) - 1:
        raise Unreadable("an axis before the last is not supported before opset 13")
    places = node.emit(nn.IotaOp, type=nn.tensor(i64, nn.shape_of(x)), axis=axis)
    hit = node.emit(nn.EqualOp, places, node.emit(nn.ArgMaxOp, x, axis=axis))
    return node.cast(hit, nn.tensor_type(x).element_type)


OPERATORS: Mapping[str, Handler] = {
    "ArgMax": _arg(least=False),
    "ArgMin": _arg(least=True),
    "CumSum": _cum_sum,
    "Hardmax": _hardmax,
    "ReduceL1": _reduce("sum", before=_apply(nn.AbsOp)),
    "ReduceL2": _reduce("sum", before=_square, after=_apply(nn.SqrtOp)),
    "ReduceLogSum": _reduce("sum", after=_apply(nn.LogOp)),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("min"),
    "ReduceProd": _reduce("prod"),
    "ReduceSum": _reduce("sum"),
    "ReduceSumSquare": _reduce("sum", before=_square),
    "TopK": _top_k,
}
