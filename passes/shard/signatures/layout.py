"""Rearranging: axes are followed to where they go, and partial values pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdsl.ir import Attribute, SSAValue

from ....ir import nn
from ....ir.nn.base import as_attribute
from .signature import AxisMap, Labels, Rules, aligned_labels, own_labels

KINDS = ("sum", "max", "min")


def reshape(op: nn.ReshapeOp, ranks: int) -> AxisMap:
    """
    Axes that are cut or joined into others: of a group of axes with as many elements before and after, the first of
    either side hold the same elements where they are cut into equal parts.

        (8, 6, 4) -> (2, 4, 24) has the groups (8) -> (2, 4) and (6, 4) -> (24): S(0) -> S(0) and S(1) -> S(2)
    """
    old, new = nn.shape_of(op.x), nn.shape_of(op.result)
    before: list[str | None] = [None] * len(old)
    after: list[str | None] = [None] * len(new)
    for i, j in first_axes(old, new):
        before[i] = after[j] = f"{i}"
    return AxisMap((tuple(before),), (tuple(after),), linear=_passes(op))


def first_axes(old: nn.Shape, new: nn.Shape) -> Iterator[tuple[int, int]]:
    """(axis of `old`, axis of `new`): the outermost of each smallest group of axes with as many elements in both."""
    if 0 in old:
        return  # nothing is laid out, so no axis goes with another
    i = j = 0
    while True:
        while i < len(old) and old[i] == 1:
            i += 1
        while j < len(new) and new[j] == 1:
            j += 1
        if i == len(old) or j == len(new):
            return
        yield i, j
        a, b, i, j = old[i], new[j], i + 1, j + 1
        while a != b:
            if a < b:
                a, i = a * old[i], i + 1
            else:
                b, j = b * new[j], j + 1


def broadcast(op: nn.BroadcastOp, ranks: int) -> AxisMap:
    """Axes of the result; those that the input is repeated along are split without it."""
    shape = nn.shape_of(op.result)
    return AxisMap((aligned_labels(op.x, shape),), (own_labels(shape),), linear=_passes(op))


def fill(op: nn.FillOp, ranks: int) -> AxisMap:
    """Any axis: a rank makes its part alone."""
    return AxisMap((), (own_labels(nn.shape_of(op.result)),))


def transpose(op: nn.TransposeOp, ranks: int) -> AxisMap:
    """Every axis, where it goes."""
    x = own_labels(nn.shape_of(op.x))
    return AxisMap((x,), (tuple(x[i] for i in nn.ints(op.permutation)),), linear=_passes(op))


def concat(op: nn.ConcatOp, ranks: int) -> AxisMap:
    """Every axis but the one that the inputs are joined along."""
    labels = _without(op.inputs[0], {nn.integer(op.axis)})
    return AxisMap((labels,) * len(op.operands), (labels,), linear=_passes(op))


def slice_(op: nn.SliceOp, ranks: int) -> AxisMap:
    """Every axis that is taken whole."""
    shape = nn.shape_of(op.x)
    bounds = op.bounds()
    cut = {i for i, size in enumerate(shape) if bounds[i] != (0, size, 1)}
    limits = [limit for _, limit, _ in bounds]
    changes: Mapping[str, Mapping[str, Attribute]] = {
        f"{i}": {"limits": as_attribute([limit // ranks if i == at else limit for at, limit in enumerate(limits)])}
        for i in range(len(shape))
    }
    labels = _without(op.x, cut)
    return AxisMap((labels,), (labels,), linear=_passes(op), changes=changes)


def split(op: nn.SplitOp, ranks: int) -> AxisMap:
    """Every axis but the one that is cut."""
    labels = _without(op.x, {nn.integer(op.axis)})
    return AxisMap((labels,), (labels,) * len(op.results), linear=_passes(op))


def reverse(op: nn.ReverseOp, ranks: int) -> AxisMap:
    """Every axis that is not reversed."""
    labels = _without(op.x, set(nn.ints(op.axes)))
    return AxisMap((labels,), (labels,), linear=_passes(op))


def pad(op: nn.PadOp, ranks: int) -> AxisMap:
    """Every axis without pads; a partial input needs a partial value."""
    padded = {i for i, pads in enumerate(zip(nn.ints(op.low), nn.ints(op.high), strict=True)) if any(pads)}
    labels = _without(op.x, padded)
    value = () if op.value is None else ((),)
    return AxisMap((labels, *value), (labels,), linear=_passes(op))


def _without(x: SSAValue, axes: set[int]) -> Labels:
    return tuple(None if i in axes else label for i, label in enumerate(own_labels(nn.shape_of(x))))


def _passes(op: nn.TensorOp) -> tuple[tuple[frozenset[int], str], ...]:
    """Partial values of all operands pass through what only moves elements."""
    return tuple((frozenset(range(len(op.operands))), kind) for kind in KINDS)


SIGNATURES: Rules = {
    nn.ReshapeOp: reshape,
    nn.BroadcastOp: broadcast,
    nn.FillOp: fill,
    nn.TransposeOp: transpose,
    nn.ConcatOp: concat,
    nn.SliceOp: slice_,
    nn.SplitOp: split,
    nn.ReverseOp: reverse,
    nn.PadOp: pad,
}
