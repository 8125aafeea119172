"""Canonical forms of ops that rearrange tensors: each pattern leaves fewer of them, or smaller ones."""

from __future__ import annotations

from typing import Any

from xdsl.dialects.builtin import AnyFloat, IntegerType

from ...ir import nn
from .draft import Draft, Patterns, Replacement


def drop_identity(op: Any, draft: Draft) -> Replacement:
    """
    before: %y = "nn.reshape"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    after:  %x

    (L1) A view, broadcast or cast to the type that its operand has changes nothing.
    """
    return [op.x] if op.x.type == op.result.type else None


def merge_reshapes(op: nn.ReshapeOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.reshape"(%x);  %y = "nn.reshape"(%t)
    after:  %y = "nn.reshape"(%x)
    """
    inner = op.x.owner
    if not isinstance(inner, nn.ReshapeOp):
        return None
    return [draft.emit(op, nn.ReshapeOp, inner.x, type=op.type, at=[inner, op])]


def merge_broadcasts(op: nn.BroadcastOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.broadcast"(%x);  %y = "nn.broadcast"(%t)
    after:  %y = "nn.broadcast"(%x)
    """
    inner = op.x.owner
    if not isinstance(inner, nn.BroadcastOp):
        return None
    return [draft.emit(op, nn.BroadcastOp, inner.x, type=op.type, at=[inner, op])]


def broadcast_as_reshape(op: nn.BroadcastOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.broadcast"(%x) : (tensor<8x3xf32>) -> tensor<1x8x3xf32>
    after:  %y = "nn.reshape"(%x)

    (L1) Only axes of size 1 are new. It pays: a reshape moves nothing.
    """
    old, new = nn.shape_of(op.x), nn.shape_of(op.result)
    added = len(new) - len(old)
    if new[added:] != old or any(size != 1 for size in new[:added]):
        return None
    return [draft.emit(op, nn.ReshapeOp, op.x, type=op.type)]


def merge_transposes(op: nn.TransposeOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.transpose"(%x) {permutation = p};  %y = "nn.transpose"(%t) {permutation = q}
    after:  %y = "nn.transpose"(%x) {permutation = [p[i] for i in q]}, or %x where that moves nothing
    """
    order, inner = nn.ints(op.permutation), op.x.owner
    if order == tuple(range(len(order))):
        return [op.x]
    if not isinstance(inner, nn.TransposeOp):
        return None
    through = nn.ints(inner.permutation)
    both = [through[i] for i in order]
    return [draft.emit(op, nn.TransposeOp, inner.x, permutation=both, at=[inner, op])]


def transpose_as_reshape(op: nn.TransposeOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.transpose"(%x) {permutation = [0, 2, 1, 3]} : (tensor<4x1x7x8xf32>) -> tensor<4x7x1x8xf32>
    after:  %y = "nn.reshape"(%x)

    (L1) Axes of more than one element keep their order. It pays: a reshape moves nothing.
    """
    shape = nn.shape_of(op.x)
    moved = [i for i in nn.ints(op.permutation) if shape[i] != 1]
    if moved != sorted(moved):
        return None
    return [draft.emit(op, nn.ReshapeOp, op.x, type=op.type)]


def merge_slices(op: nn.SliceOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.slice"(%x) {starts = a, limits = b};  %y = "nn.slice"(%t) {starts = c, limits = d}
    after:  %y = "nn.slice"(%x) {starts = a + c, limits = a + d}, or %x where that takes all

    (L1) Both take every element between start and limit, and these are numbers.
    """
    bounds = op.bounds()
    if not is_plain(bounds):
        return None
    if op.type == op.x.type:
        return [op.x]
    inner = op.x.owner
    if not isinstance(inner, nn.SliceOp) or not is_plain(inner.bounds()):
        return None
    base = [start for start, _, _ in inner.bounds()]
    starts = [a + start for a, (start, _, _) in zip(base, bounds, strict=True)]
    limits = [a + limit for a, (_, limit, _) in zip(base, bounds, strict=True)]
    return [draft.emit(op, nn.SliceOp, inner.x, starts=starts, limits=limits, at=[inner, op])]


def is_plain(bounds: list[tuple[int, int, int]]) -> bool:
    """Whether a slice takes every element between numbers."""
    return all(step == 1 and not isinstance(limit, nn.Size) for _, limit, step in bounds)


def drop_concat_of_one(op: nn.ConcatOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.concat"(%x)
    after:  %x
    """
    return [op.operands[0]] if len(op.operands) == 1 else None


def merge_casts(op: nn.CastOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.cast"(%x) : f16 -> f32;  %y = "nn.cast"(%t) : f32 -> f16
    after:  %x

    (L1) The type in between holds every value of the first: a wider float of the same kind, or a wider integer.
    """
    inner = op.x.owner
    if not isinstance(inner, nn.CastOp) or not holds_all(inner.type.element_type, nn.tensor_type(inner.x).element_type):
        return None
    if inner.x.type == op.result.type:
        return [inner.x]
    return [draft.emit(op, nn.CastOp, inner.x, type=op.type, at=[inner, op])]


WIDER = {
    "f32": ("f64",),
    "f16": ("f32", "f64"),
    "bf16": ("f32", "f64"),
    "f8E4M3FN": ("f16", "f32"),
    "f8E5M2": ("f16", "f32"),
}
"""Float type -> those that hold all its values."""


def holds_all(wide: Any, narrow: Any) -> bool:
    """Whether every value of the element type `narrow` is one of `wide`."""
    if isinstance(wide, AnyFloat) and isinstance(narrow, AnyFloat):
        return str(wide) in WIDER.get(str(narrow), ())
    if isinstance(wide, IntegerType) and isinstance(narrow, IntegerType):
        same = wide.signedness == narrow.signedness and narrow.bitwidth > 1
        return same and wide.bitwidth >= narrow.bitwidth
    return False


PATTERNS: Patterns = {
    nn.ReshapeOp: [("identity", drop_identity), ("reshape-of-reshape", merge_reshapes)],
    nn.BroadcastOp: [
        ("identity", drop_identity),
        ("broadcast-as-reshape", broadcast_as_reshape),
        ("broadcast-of-broadcast", merge_broadcasts),
    ],
    nn.CastOp: [("identity", drop_identity), ("cast-of-cast", merge_casts)],
    nn.TransposeOp: [("transpose-of-transpose", merge_transposes), ("transpose-as-reshape", transpose_as_reshape)],
    nn.SliceOp: [("slice-of-slice", merge_slices)],
    nn.ConcatOp: [("concat-of-one", drop_concat_of_one)],
}
