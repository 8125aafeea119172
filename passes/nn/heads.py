"""Heads of attention: keys turned for a product, repeated for groups of query heads, or merged with the batch."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft
from .match import array_of


def swapped(value: SSAValue, before: Operation, draft: Draft) -> SSAValue:
    """`value` (..., d, n) as (..., n, d): what it is a transpose of, if that is it."""
    rank = len(nn.shape_of(value))
    order = [*range(rank - 2), rank - 1, rank - 2]
    owner = value.owner
    if isinstance(owner, nn.TransposeOp):
        through = nn.ints(owner.permutation)
        order = [through[i] for i in order]
        value = owner.x
    if order == list(range(rank)):
        return value
    return draft.emit(before, nn.TransposeOp, value, permutation=order)


def unrepeated(value: SSAValue, before: Operation, draft: Draft) -> SSAValue | None:
    """
    Keys or values (b, hkv, n, d) of which `value` (b, hq, n, d) repeats each head hq / hkv times; None if it does not.

    before: %t = "nn.reshape"(%k) : (b, hkv, 1, n, d);  %u = "nn.broadcast"(%t) : (b, hkv, g, n, d)
            %y = "nn.reshape"(%u) : (b, hkv g, n, d)                       or a gather of heads 0 0 1 1, or a transpose
    after:  %k
    """
    owner, order = value.owner, None
    if isinstance(owner, nn.TransposeOp):
        order, owner = nn.ints(owner.permutation), owner.x.owner
    axis = 1 if order is None else order[1]
    if isinstance(owner, nn.ReshapeOp):
        heads = _repeated_by_broadcast(owner, axis)
    elif isinstance(owner, nn.GatherOp):
        heads = _repeated_by_gather(owner, axis, draft)
    else:
        heads = None
    if heads is None or order is None:
        return heads if heads is None else heads(before, draft)
    return draft.emit(before, nn.TransposeOp, heads(before, draft), permutation=order)


def _repeated_by_broadcast(op: nn.ReshapeOp, axis: int):
    """What gives the heads that `op` repeats along `axis`, each several times in a row; None if it does not."""
    spread = op.x.owner
    if not isinstance(spread, nn.BroadcastOp):
        return None
    shape, wide, narrow = nn.shape_of(op.result), nn.shape_of(op.x), nn.shape_of(spread.x)
    if len(shape) != 4 or len(wide) != 5 or len(narrow) != 5 or narrow[axis + 1] != 1:
        return None
    only = all(a == b for i, (a, b) in enumerate(zip(narrow, wide, strict=True)) if i != axis + 1)
    merged = (*wide[:axis], wide[axis] * wide[axis + 1], *wide[axis + 2 :])
    if not only or merged != shape:
        return None
    kept = (*narrow[: axis + 1], *narrow[axis + 2 :])

    def heads(before: Operation, draft: Draft) -> SSAValue:
        inner = spread.x.owner
        if isinstance(inner, nn.ReshapeOp) and nn.shape_of(inner.x) == kept:
            return inner.x
        return draft.emit(before, nn.ReshapeOp, spread.x, type=nn.with_shape(spread.x, kept))

    return heads


def _repeated_by_gather(op: nn.GatherOp, axis: int, draft: Draft):
    """As `_repeated_by_broadcast`, for a gather of heads by indices that are known."""
    indices = array_of(op.indices, draft)
    count = nn.shape_of(op.x)[axis] if len(nn.shape_of(op.x)) == 4 else 0
    if indices is None or nn.integer(op.axis) != axis or indices.ndim != 1 or isinstance(count, nn.Size) or not count:
        return None
    if len(indices) % count or not np.array_equal(indices, np.repeat(np.arange(count), len(indices) // count)):
        return None
    return lambda before, draft: op.x


def lifted(value: SSAValue, before: Operation, draft: Draft) -> SSAValue:
    """`value` with axes of size 1 before its own, so that it has four."""
    shape = nn.shape_of(value)
    if len(shape) == 4:
        return value
    return draft.emit(before, nn.ReshapeOp, value, type=nn.with_shape(value, (*[1] * (4 - len(shape)), *shape)))
