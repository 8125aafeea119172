"""Making and rearranging tensors."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _slice(op: nn.SliceOp, x: Array) -> Array:
    return x[tuple(slice(a, b) for a, b in zip(nn.ints(op.starts), nn.ints(op.limits), strict=True))]


MEANING: Meanings = {
    nn.FillOp: lambda op: np.full(nn.shape_of(op.result), nn.number(op.value)),
    nn.ReshapeOp: lambda op, x: x.reshape(nn.shape_of(op.result)),
    nn.BroadcastOp: lambda op, x: np.broadcast_to(x, nn.shape_of(op.result)),
    nn.TransposeOp: lambda op, x: x.transpose(nn.ints(op.permutation)),
    nn.ConcatOp: lambda op, *xs: np.concatenate(xs, axis=nn.integer(op.axis)),
    nn.SliceOp: _slice,
}
