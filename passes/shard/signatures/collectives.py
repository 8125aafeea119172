"""Collectives over another axis of the mesh: they act on each rank's part as on the whole."""

from __future__ import annotations

from ....ir import nn
from .signature import AxisMap, Labels, Rules, own_labels, sets


def all_reduce(op: nn.AllReduceOp, ranks: int) -> AxisMap:
    """Every axis, and partial values of the same reduction."""
    labels = own_labels(nn.shape_of(op.x))
    return AxisMap((labels,), (labels,), linear=sets(0, reduction=op.kind.data))


def exchange(op: nn.CollectiveOp, ranks: int) -> AxisMap:
    """Every axis that is not cut or joined; all are linear."""
    cut = {nn.integer(value) for name, value in op.attributes.items() if name.endswith("axis")}  # type: ignore[arg-type]
    every = own_labels(nn.shape_of(op.operands[0]))
    labels: Labels = tuple(None if i in cut else label for i, label in enumerate(every))
    return AxisMap((labels,), (labels,), linear=sets(0))


SIGNATURES: Rules = {
    nn.AllReduceOp: all_reduce,
    **dict.fromkeys((nn.AllGatherOp, nn.ReduceScatterOp, nn.AllToAllOp, nn.ShardOp, nn.PermuteOp), exchange),
}
