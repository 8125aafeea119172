"""Resizing: every axis that keeps its size."""

from __future__ import annotations

from ....ir import nn
from .signature import AxisMap, Labels, Rules, own_labels, sets


def resize(op: nn.ResizeOp, ranks: int) -> AxisMap:
    """Axes that are not resized; interpolation is linear in the input."""
    axes = nn.ints(op.axes)
    labels: Labels = tuple(None if i in axes else label for i, label in enumerate(own_labels(nn.shape_of(op.x))))
    return AxisMap((labels,), (labels,), linear=sets(0))


SIGNATURES: Rules = {nn.ResizeOp: resize}
