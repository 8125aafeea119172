"""Shapes, pieces and padding."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from ... import nn
from ..spelt_out import tile
from .node import Handler, Node, Result, Unreadable, axes_within, axis_within
from .shapes import slice_numbers


def _reshape(node: Node) -> Result:
    x, wanted = node.tensor(0), node.constant(1).ravel().tolist()
    old = nn.shape_of(x)
    if not node.attribute("allowzero", 0):
        wanted = [old[i] if isinstance(n, int) and n == 0 and i < len(old) else n for i, n in enumerate(wanted)]
    is_rest = [isinstance(n, int) and n == -1 for n in wanted]
    known = prod(n for n, rest in zip(wanted, is_rest, strict=True) if not rest)
    if any(is_rest) and isinstance(known, int) and known == 0:
        return node.reshaped(x, [0 if rest else n for n, rest in zip(wanted, is_rest, strict=True)])
    try:
        return node.reshaped(x, [prod(old) // known if rest else n for n, rest in zip(wanted, is_rest, strict=True)])
    except nn.Undecided as reason:
        raise Unreadable(f"the size left over cannot be told: {reason}") from reason


def _flatten(node: Node) -> Result:
    shape = node.shape()
    axis = node.attribute("axis", 1)
    axis = axis if axis == len(shape) else axis_within(axis, len(shape))
    return node.reshaped(node.tensor(0), (prod(shape[:axis]), prod(shape[axis:])))


def _squeeze(node: Node) -> Result:
    shape = node.shape()
    given = node.given("axes", 1)
    axes = [i for i, n in enumerate(shape) if n == 1] if given is None else [axis_within(a, len(shape)) for a in given]
    return node.reshaped(node.tensor(0), [n for i, n in enumerate(shape) if i not in axes])


def _unsqueeze(node: Node) -> Result:
    given = node.given("axes", 1) or ()
    shape = list(node.shape())
    rank = len(shape) + len(given)
    for axis in sorted(axes_within(given, rank)):
        shape.insert(axis, 1)
    return node.reshaped(node.tensor(0), shape)


def _transpose(node: Node) -> Result:
    rank = len(node.shape())
    return node.emit(nn.TransposeOp, node.tensor(0), permutation=node.attribute("perm", range(rank - 1, -1, -1)))


def _concat(node: Node) -> Result:
    return node.emit(nn.ConcatOp, *node.tensors(), axis=node.axis(node.attribute("axis")))


def _split(node: Node) -> Result:
    """Sizes are given, or equal ones follow from the number of outputs (the last may be smaller)."""
    axis = node.axis(node.attribute("axis", 0))
    whole, sizes = node.shape()[axis], node.given("split", 1)
    if sizes is None:
        count = node.attribute("num_outputs", node.outputs)
        each = -(-whole // count)
        sizes = (*[each] * (count - 1), whole - each * (count - 1))
    return node.emit_all(nn.SplitOp, node.tensor(0), axis=axis, sizes=sizes)


def _slice(node: Node) -> Result:
    """Steps backwards are a reversal, then steps forwards."""
    x = node.tensor(0)
    shape = nn.shape_of(x)
    starts, ends, axes, steps = slice_numbers(node, len(shape))
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if start == 0 and end >= 2**31 - 1 and step == 1:
            continue
        if step == 0:
            raise Unreadable(f"it cuts axis {axis} in steps of 0")
        if isinstance(shape[axis], nn.Size):
            raise Unreadable(f"it cuts axis {axis}, whose size {shape[axis]} is open")
        x = _cut(node, x, axis, range(shape[axis])[slice(start, end, step)])
    return x


def _cut(node: Node, x: SSAValue, axis: int, kept: range) -> SSAValue:
    """Places `kept` of one axis: a split where another axis is open, a slice otherwise."""
    shape = nn.shape_of(x)
    forward = kept if kept.step > 0 else kept[::-1]
    first, last = (forward[0], forward[-1] + 1) if len(forward) else (0, 0)
    if any(isinstance(n, nn.Size) for n in shape) and forward.step == 1:
        part = node.emit_all(nn.SplitOp, x, axis=axis, sizes=(first, last - first, shape[axis] - last))[1]
    else:
        starts = tuple(first if i == axis else 0 for i in range(len(shape)))
        limits = tuple(last if i == axis else n for i, n in enumerate(shape))
        steps = tuple(forward.step if i == axis else 1 for i in range(len(shape)))
        given = {} if forward.step == 1 else {"steps": steps}
        part = node.emit(nn.SliceOp, x, starts=starts, limits=limits, **given)
    return part if kept.step > 0 else node.emit(nn.ReverseOp, part, axes=(axis,))


def _pad(node: Node) -> Result:
    """Negative pads cut off; the value is an attribute before opset 11 and an input since."""
    x, pads = node.tensor(0), node.given("pads", 1) or ()
    shape = nn.shape_of(x)
    axes = [axis_within(a, len(shape)) for a in node.integers(3)] if node.has(3) else list(range(len(shape)))
    low, high = [0] * len(shape), [0] * len(shape)
    for i, axis in enumerate(axes):
        low[axis], high[axis] = pads[i], pads[i + len(axes)]
    mode = node.text("mode", "constant")
    for axis in axes:
        if low[axis] < 0 or high[axis] < 0:
            x = _cut(node, x, axis, range(max(-low[axis], 0), shape[axis] - max(-high[axis], 0)))
            low[axis], high[axis] = max(low[axis], 0), max(high[axis], 0)
    if not any(low) and not any(high):
        return x
    value = None
    if mode == "constant":
        value = node.reshaped(node.tensor(2), ()) if node.has(2) else node.fill(x, node.attribute("value", 0.0))
    return node.emit(nn.PadOp, x, value, low=tuple(low), high=tuple(high), mode=mode)


def _expand(node: Node) -> Result:
    x = node.tensor(0)
    shape = nn.broadcast([nn.shape_of(x), tuple(node.constant(1).ravel().tolist())])
    return x if shape == nn.shape_of(x) else node.emit(nn.BroadcastOp, x, type=nn.with_shape(x, shape))


def _tile(node: Node) -> Result:
    return tile(node.emit, node.tensor(0), node.constant(1).ravel().tolist())


def _depth_to_space(node: Node) -> Result:
    """(n, c, h, w) -> (n, c / b^2, h b, w b)."""
    n, c, h, w = node.shape()
    b = node.attribute("blocksize")
    first = node.text("mode", "DCR") == "DCR"
    split = (n, b, b, c // b**2, h, w) if first else (n, c // b**2, b, b, h, w)
    order = (0, 3, 4, 1, 5, 2) if first else (0, 1, 4, 2, 5, 3)
    moved = node.emit(nn.TransposeOp, node.reshaped(node.tensor(0), split), permutation=order)
    return node.reshaped(moved, (n, c // b**2, h * b, w * b))


def _space_to_depth(node: Node) -> Result:
    """(n, c, h, w) -> (n, c b^2, h / b, w / b)."""
    n, c, h, w = node.shape()
    b = node.attribute("blocksize")
    split = node.reshaped(node.tensor(0), (n, c, h // b, b, w // b, b))
    order = (0, 3, 5, 1, 2, 4) if node.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = node.emit(nn.TransposeOp, split, permutation=order)
    return node.reshaped(moved, (n, c * b**2, h // b, w // b))


def _trilu(node: Node) -> Result:
    """What is above or below a diagonal is 0."""
    x = node.tensor(0)
    rows, columns = nn.shape_of(x)[-2:]
    if isinstance(rows, nn.Size) or isinstance(columns, nn.Size):
        raise Unreadable("the matrix is of open size")
    k = node.integers(1)[0] if node.has(1) else 0
    ones = np.ones((rows, columns), bool)
    kept = np.triu(ones, k) if node.attribute("upper", 1) else np.tril(ones, k)
    name = f"{node.label}.kept"
    node.reader.constants[name] = kept
    return node.emit(nn.WhereOp, node.reader.value(name), x, node.fill(x, 0.0))


OPERATORS: Mapping[str, Handler] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}
