"""Normalisation: every axis over which no mean is taken."""

from __future__ import annotations

from ....ir import nn
from ....ir.nn.base import as_attribute
from ..states import divides
from .signature import AxisMap, Labels, Rules


def batch_norm(op: nn.BatchNormOp, ranks: int) -> AxisMap:
    """Every axis: mean and variance are given."""
    x = tuple("c" if i == 1 else f"{i}" for i in range(len(nn.shape_of(op.x))))
    return AxisMap((x, *[("c",)] * 4), (x,))


def over_last_axes(op: nn.LayerNormOp | nn.RmsNormOp, ranks: int) -> AxisMap:
    """The axes before those that are normalised over, along which scale and bias are repeated."""
    first = nn.integer(op.axis)
    x = tuple(f"{i}" if i < first else None for i in range(len(nn.shape_of(op.operands[0]))))
    parameters = [(None,) * len(nn.shape_of(o)) for o in op.operands[1:]]
    return AxisMap((x, *parameters), (x,))


def group_norm(op: nn.GroupNormOp, ranks: int) -> AxisMap:
    """Batches, and groups with their channels."""
    groups = nn.integer(op.groups)
    label = "g" if divides(ranks, groups) else None
    x: Labels = ("n", label, *(None,) * (len(nn.shape_of(op.x)) - 2))
    changes = {"g": {"groups": as_attribute(groups // ranks)}}
    return AxisMap((x, *[(label,)] * (len(op.operands) - 1)), (x,), changes=changes)


SIGNATURES: Rules = {
    nn.BatchNormOp: batch_norm,
    nn.LayerNormOp: over_last_axes,
    nn.RmsNormOp: over_last_axes,
    nn.GroupNormOp: group_norm,
}
