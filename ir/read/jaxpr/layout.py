"""Shapes, slices and pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import nn
from ..spelt_out import tile
from .products import reshaped, transposed
from .reader import Reader, Rule, Unreadable, Value, type_of


def _broadcast(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Axes of the operand go where `broadcast_dimensions` says, the others are new: a reshape, then a broadcast."""
    wanted = type_of(eqn.outvars[0].aval)
    x = reader.tensor(operands[0])
    shape, old = [1] * len(nn.shape_in(wanted)), nn.shape_of(x)
    for axis, size in zip(eqn.params["broadcast_dimensions"], old, strict=True):
        shape[axis] = size
    spread = reshaped(reader, x, shape)
    return spread if spread.type == wanted else reader.add(nn.BroadcastOp, spread, type=wanted)


def _reshape(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    x = reader.tensor(operands[0])
    if eqn.params.get("dimensions") is not None:
        x = transposed(reader, x, eqn.params["dimensions"])
    return reshaped(reader, x, nn.shape_in(type_of(eqn.outvars[0].aval)))


def _transpose(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return transposed(reader, reader.tensor(operands[0]), eqn.params["permutation"])


def _concatenate(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return reader.add(nn.ConcatOp, *operands, axis=eqn.params["dimension"])


def _stack(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """A new axis of size 1 for each, then one after another along it."""
    axis = eqn.params["axis"]
    parts = [reader.tensor(each) for each in operands]
    shapes = [nn.shape_of(each) for each in parts]
    spread = [reshaped(reader, v, (*s[:axis], 1, *s[axis:])) for v, s in zip(parts, shapes, strict=True)]
    return reader.add(nn.ConcatOp, *spread, axis=axis)


def _split(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    return reader.add_all(nn.SplitOp, operands[0], axis=eqn.params["axis"], sizes=tuple(eqn.params["sizes"]))


def _slice(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    p = eqn.params
    x = reader.tensor(operands[0])
    starts, limits = tuple(p["start_indices"]), tuple(p["limit_indices"])
    if not all(isinstance(n, int) for n in (*starts, *limits)):
        return _slice_open(reader, eqn, operands)
    steps = p["strides"]
    if steps is None or all(n == 1 for n in steps):
        return reader.add(nn.SliceOp, x, starts=starts, limits=limits)
    return reader.add(nn.SliceOp, x, starts=starts, limits=limits, steps=tuple(steps))


def _slice_open(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """A slice whose open axes are kept whole: one split for each axis that is cut."""
    p = eqn.params
    x = reader.tensor(operands[0])
    if p["strides"] is not None and any(n != 1 for n in p["strides"]):
        raise Unreadable("it steps through a tensor of open sizes")
    for axis, size in enumerate(nn.shape_of(x)):
        start, limit = p["start_indices"][axis], p["limit_indices"][axis]
        if start == 0 and str(limit) == str(eqn.invars[0].aval.shape[axis]):
            continue
        if not (isinstance(start, int) and isinstance(limit, int) and isinstance(size, int)):
            raise Unreadable("it cuts an axis of open size")
        sizes = (start, limit - start, size - limit)
        x = reader.add_all(nn.SplitOp, x, axis=axis, sizes=sizes)[1]
    return x


def _pad(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Negative padding cuts off; padding between elements has no counterpart."""
    x, value = (reader.tensor(o) for o in operands)
    config = eqn.params["padding_config"]
    if any(inner for _, _, inner in config):
        raise Unreadable("it pads between elements")
    low, high = [max(lo, 0) for lo, _, _ in config], [max(hi, 0) for _, hi, _ in config]
    if any(low) or any(high):
        x = reader.add(nn.PadOp, x, value, low=tuple(low), high=tuple(high))
    if any(lo < 0 or hi < 0 for lo, hi, _ in config):
        starts = [max(-lo, 0) for lo, _, _ in config]
        limits = [size - max(-hi, 0) for size, (_, hi, _) in zip(nn.shape_of(x), config, strict=True)]
        x = reader.add(nn.SliceOp, x, starts=tuple(starts), limits=tuple(limits))
    return x


def _rev(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return reader.add(nn.ReverseOp, operands[0], axes=tuple(sorted(eqn.params["dimensions"])))


def _tile(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return tile(reader.add, reader.tensor(operands[0]), eqn.params["reps"])


def _iota(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    if operands:
        raise Unreadable("its size is worked out while it runs")
    type = type_of(eqn.outvars[0].aval)
    shape = nn.shape_in(type)
    axis = eqn.params["dimension"]
    if all(isinstance(n, int) for n in shape) and np.prod(shape) == shape[axis]:
        return np.asarray(np.arange(shape[axis]).reshape(shape), dtype=eqn.params["dtype"])
    return reader.add(nn.IotaOp, type=type, axis=axis)


RULES: Mapping[str, Rule] = {
    "broadcast_in_dim": _broadcast,
    **dict.fromkeys(("reshape", "squeeze", "expand_dims"), _reshape),
    "transpose": _transpose,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "slice": _slice,
    "pad": _pad,
    "rev": _rev,
    "tile": _tile,
    "iota": _iota,
}
