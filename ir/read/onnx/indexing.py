"""Reading and writing by index."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from ... import nn
from .node import Handler, Known, Node, Result, Unreadable


def _gather(node: Node) -> Result:
    axis = node.axis(node.attribute("axis", 0))
    _require_inside(node.known(1), node.shape(), axis)
    return node.emit(nn.GatherOp, *node.tensors(), axis=axis)


def _gather_elements(node: Node) -> Result:
    axis = node.axis(node.attribute("axis", 0))
    _require_inside(node.known(1), node.shape(), axis)
    return node.emit(nn.GatherElementsOp, *node.tensors(), axis=axis)


def _require_inside(indices: Known | None, shape: nn.Shape, axis: int) -> None:
    """Unreadable where `indices` are known, and one is outside that axis of a tensor of `shape`."""
    size = shape[axis]
    if indices is None or indices.dtype == object or isinstance(size, nn.Size):
        return
    outside = indices[(indices < -size) | (indices >= size)]
    if outside.size:
        raise Unreadable(f"index {outside.ravel()[0]} is outside axis {axis} of {tuple(shape)}")


def _flat(node: Node) -> tuple[SSAValue, SSAValue]:
    """The input with the axes that are indexed as one, and places along it."""
    x, indices = node.tensor(0), node.cast(node.tensor(1), i64)
    shape, places = nn.shape_of(x), nn.shape_of(indices)
    together = shape[: places[-1]]
    known = node.known(1)
    flat = None
    for axis, place in enumerate(node.emit_all(nn.SplitOp, indices, axis=len(places) - 1, sizes=(1,) * places[-1])):
        _require_inside(None if known is None else known[..., axis], shape, axis)
        size = _number(node, together[axis])
        below = node.emit(nn.LessOp, place, _number(node, 0))  # counts from the end
        inside = node.emit(nn.WhereOp, below, node.emit(nn.AddOp, place, size), place)
        flat = inside if flat is None else node.emit(nn.AddOp, node.emit(nn.MulOp, flat, size), inside)
    if flat is None:
        raise Unreadable("it has no indices")
    rest = shape[places[-1] :]
    return node.reshaped(x, (prod(together), *rest)), node.reshaped(flat, places[:-1])


def _number(node: Node, value: int) -> SSAValue:
    return node.emit(nn.FillOp, type=nn.tensor(i64, ()), value=float(value))


def _gather_nd(node: Node) -> Result:
    if node.attribute("batch_dims", 0):
        raise Unreadable("`batch_dims` are not supported")
    x, places = _flat(node)
    return node.emit(nn.GatherOp, x, places, axis=0)


def _scatter_nd(node: Node) -> Result:
    kind = {"none": "set", "add": "add"}.get(node.text("reduction", "none"))
    if kind is None:
        raise Unreadable("reductions other than add are not supported")
    x, places = _flat(node)
    written = node.emit(nn.ScatterOp, x, places, node.tensor(2), axis=0, kind=kind)
    return node.reshaped(written, node.shape())


def _one_hot(node: Node) -> Result:
    """`values` are those of the places not chosen and of the chosen one; indices below 0 count from the end."""
    indices, values = node.tensor(0), node.tensor(2)
    (depth,) = node.integers(1)
    shape = list(nn.shape_of(indices))
    axis = node.attribute("axis", -1) % (len(shape) + 1)
    index = node.cast(indices, i64)
    below = node.emit(nn.LessOp, index, _number(node, 0))
    index = node.emit(nn.WhereOp, below, node.emit(nn.AddOp, index, _number(node, depth)), index)
    index = node.reshaped(index, [*shape[:axis], 1, *shape[axis:]])
    places = node.emit(nn.IotaOp, type=nn.tensor(i64, [*shape[:axis], depth, *shape[axis:]]), axis=axis)
    hit = node.emit(nn.EqualOp, places, index)
    off, on = node.emit_all(nn.SplitOp, values, axis=0, sizes=(1, 1))
    return node.emit(nn.WhereOp, hit, node.reshaped(on, ()), node.reshaped(off, ()))


OPERATORS: Mapping[str, Handler] = {
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "ScatterND": _scatter_nd,
}
