"""Making and rearranging tensors."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _slice(op: nn.SliceOp, x: Array) -> Array:
    return x[tuple(slice(*bounds) for bounds in op.bounds())]


def _split(op: nn.SplitOp, x: Array) -> tuple[Array, ...]:
    cuts = np.cumsum(nn.ints(op.sizes))[:-1]
    return tuple(np.split(x, cuts, axis=nn.integer(op.axis)))


def _pad(op: nn.PadOp, x: Array, value: Array | None = None) -> Array:
    around = list(zip(nn.ints(op.low), nn.ints(op.high), strict=True))
    if value is not None:
        return np.pad(x, around, constant_values=value.item())
    for axis, (low, high) in enumerate(around):
        places = np.arange(-low, x.shape[axis] + high)
        x = x if low == high == 0 else x.take(_folded(op.mode.data, places, x.shape[axis]), axis=axis)
    return x


def _folded(mode: str, places: Array, size: int) -> Array:
    """What stands at `places`, some of which are outside an axis of `size`, as places inside it."""
    if mode == "wrap":
        return places % size
    if mode == "edge":
        return places.clip(0, size - 1)
    mirrored = np.abs(places)
    return np.minimum(mirrored, 2 * (size - 1) - mirrored)


MEANING: Meanings = {
    nn.FillOp: lambda op: np.full(nn.shape_of(op.result), nn.number(op.value)),
    nn.ReshapeOp: lambda op, x: x.reshape(nn.shape_of(op.result)),
    nn.BroadcastOp: lambda op, x: np.broadcast_to(x, nn.shape_of(op.result)),
    nn.TransposeOp: lambda op, x: x.transpose(nn.ints(op.permutation)),
    nn.ConcatOp: lambda op, *xs: np.concatenate(xs, axis=nn.integer(op.axis)),
    nn.SliceOp: _slice,
    nn.SplitOp: _split,
    nn.ReverseOp: lambda op, x: np.flip(x, nn.ints(op.axes)),
    nn.PadOp: _pad,
}
