"""Reading and writing by index."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _inside(indices: Array, size: int) -> tuple[Array, Array]:
    """`indices` counted from the front, 0 for those outside an axis of `size`; and which are inside."""
    there = (indices < size) & (indices.astype(np.float64) >= -size)  # of any integer type
    whole = np.where(there, indices, 0).astype(np.int64)
    return np.where(whole < 0, whole + size, whole), there


def _gather(op: nn.GatherOp, x: Array, indices: Array) -> Array:
    axis, shape = nn.integer(op.axis), nn.shape_of(op.result)
    if not x.size:
        return np.full(shape, nn.outside_value(op.type.element_type))
    places, there = _inside(indices, x.shape[axis])
    there = there.reshape((*there.shape, *[1] * (x.ndim - axis - 1)))
    return np.where(there, x.take(places, axis=axis), _outside(op, x))


def _gather_elements(op: nn.GatherElementsOp, x: Array, indices: Array) -> Array:
    axis = nn.integer(op.axis)
    if not x.size:
        return np.full(indices.shape, nn.outside_value(op.type.element_type))
    places: list[Any] = list(np.indices(indices.shape, sparse=True))
    places[axis], there = _inside(indices, x.shape[axis])
    return np.where(there, x[tuple(places)], _outside(op, x))


def _outside(op: nn.TensorOp, x: Array) -> Array:
    """What is read outside, as `x` is held."""
    return np.asarray(nn.outside_value(op.type.element_type), dtype=x.dtype)


def _scatter(op: nn.ScatterOp, x: Array, indices: Array, updates: Array) -> Array:
    axis = nn.integer(op.axis)
    out = x.copy()
    places, there = _inside(indices, x.shape[axis])
    before = tuple(slice(None) for _ in range(axis))
    target: tuple[Any, ...] = (*before, places[there])
    written = updates[(*before, there)]
    if op.kind.data == "add":
        np.add.at(out, cast(Any, target), written)
    else:
        out[target] = written
    return out


def _iota(op: nn.IotaOp) -> Array:
    shape, axis = nn.shape_of(op.result), nn.integer(op.axis)
    along = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1))
    return np.broadcast_to(along, shape)


MEANING: Meanings = {
    nn.GatherOp: _gather,
    nn.GatherElementsOp: _gather_elements,
    nn.ScatterOp: _scatter,
    nn.IotaOp: _iota,
}
