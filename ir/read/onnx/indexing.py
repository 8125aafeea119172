"""Reading and writing by index."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import i64

from ... import nn
from .node import Handler, Node, Result, Unreadable


def _gather(node: Node) -> Result:
    return node.emit(nn.GatherOp, *node.tensors(), axis=node.axis(node.attribute("axis", 0)))


def _gather_elements(node: Node) -> Result:
    return node.emit(nn.GatherElementsOp, *node.tensors(), axis=node.axis(node.attribute("axis", 0)))


def _gather_nd(node: Node) -> Result:
    """Indices of one axis alone are a gather."""
    places = node.shape(1)
    if node.attribute("batch_dims", 0) or places[-1] != 1:
        raise Unreadable("indices of several axes at once are not supported")
    return node.emit(nn.GatherOp, node.tensor(0), node.reshaped(node.tensor(1), places[:-1]), axis=0)


def _scatter_nd(node: Node) -> Result:
    """Indices of one axis alone write whole slices."""
    places = node.shape(1)
    kind = {"none": "set", "add": "add"}.get(node.text("reduction", "none"))
    if places[-1] != 1 or kind is None:
        raise Unreadable("indices of several axes at once, and reductions other than add, are not supported")
    indices = node.reshaped(node.tensor(1), places[:-1])
    return node.emit(nn.ScatterOp, node.tensor(0), indices, node.tensor(2), axis=0, kind=kind)


def _one_hot(node: Node) -> Result:
    """`values` are those of the places not chosen and of the chosen one; indices below 0 count from the end."""
    indices, values = node.tensor(0), node.tensor(2)
    (depth,) = node.integers(1)
    shape = list(nn.shape_of(indices))
    axis = node.attribute("axis", -1) % (len(shape) + 1)
    index = node.cast(indices, i64)
    size = node.emit(nn.FillOp, type=nn.tensor(i64, ()), value=float(depth))
    below = node.emit(nn.LessOp, index, node.emit(nn.FillOp, type=nn.tensor(i64, ()), value=0.0))
    index = node.emit(nn.WhereOp, below, node.emit(nn.AddOp, index, size), index)
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
