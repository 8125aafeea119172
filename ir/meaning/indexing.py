"""Reading and writing by index."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _inside(indices: Array, size: int) -> Array:
    """`indices` counted from the front; ValueError for one outside an axis of `size`."""
    whole = indices.astype(np.int64)
    if ((whole < -size) | (whole >= size)).any():
        raise ValueError(f"an index is outside an axis of size {size}")
    return np.where(whole < 0, whole + size, whole)


def _gather(op: nn.GatherOp, x: Array, indices: Array) -> Array:
    axis = nn.integer(op.axis)
    return x.take(_inside(indices, x.shape[axis]), axis=axis)


def _gather_elements(op: nn.GatherElementsOp, x: Array, indices: Array) -> Array:
    axis = nn.integer(op.axis)
    places: list[Any] = list(np.indices(indices.shape, sparse=True))
    places[axis] = _inside(indices, x.shape[axis])
    return x[tuple(places)]


def _scatter(op: nn.ScatterOp, x: Array, indices: Array, updates: Array) -> Array:
    axis = nn.integer(op.axis)
    out = x.copy()
    there: tuple[Any, ...] = (*[slice(None)] * axis, _inside(indices, x.shape[axis]))
    if op.kind.data == "add":
        np.add.at(out, cast(Any, there), updates)
    else:
        out[there] = updates
    return out


def _iota(op: nn.IotaOp) -> Array:
    shape, axis = nn.shape_of(op.result), nn.integer(op.axis)
    along = np.arange(shape[axis], dtype=np.float64).reshape(-1, *[1] * (len(shape) - axis - 1))
    return np.broadcast_to(along, shape)


MEANING: Meanings = {
    nn.GatherOp: _gather,
    nn.GatherElementsOp: _gather_elements,
    nn.ScatterOp: _scatter,
    nn.IotaOp: _iota,
}
