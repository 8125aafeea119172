"""Reductions, searches and running sums: other axes freely, and axes that are summed with a partial result."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from ....ir import nn
from ..states import SUM, State, divides, split
from .signature import AxisMap, Local, Mesh, Rules, Signature, own_labels, sets


def along_one_axis(op: nn.SoftmaxOp | nn.ArgMaxOp | nn.TopKOp, ranks: int) -> AxisMap:
    """Every axis but the one that the op looks along."""
    labels = _without(op.x, (nn.integer(op.axis),))
    return AxisMap((labels,), (labels,) * len(op.results))


def cum_sum(op: nn.CumSumOp, ranks: int) -> AxisMap:
    """Every axis but its own; the running sum of a sum is the sum of running sums."""
    labels = _without(op.x, (nn.integer(op.axis),))
    return AxisMap((labels,), (labels,), linear=sets(0))


def reduce(op: nn.ReduceOp, ranks: int) -> AxisMap | Sequence[Signature]:
    """Axes that stay; a sum, max or min of one that goes is partial, and so is a mean, of which each rank has 1 / n."""
    kind, axes = op.kind.data, nn.ints(op.axes)
    kept = _without(op.x, axes)
    if kind == "mean":
        plain = AxisMap((kept,), (kept,), linear=sets(0))
        size = nn.shape_of(op.x)
        means = [_part_of_mean(op, split(axis)) for axis in axes if divides(ranks, size[axis])]
        return [*plain.signatures(op, ranks), *means]
    if kind == "prod":
        return AxisMap((kept,), (kept,))
    every = own_labels(nn.shape_of(op.x))
    return AxisMap((every,), (kept,), {f"{axis}": kind for axis in axes}, linear=sets(0, reduction=kind))


def _part_of_mean(op: nn.ReduceOp, state: State) -> Signature:
    def lower(mesh: Mesh, operands: Sequence[SSAValue]) -> Local:
        mean = nn.ReduceOp.make(*operands, at=op, kind="mean", axes=nn.ints(op.axes))
        share = nn.FillOp.make(type=nn.tensor(mean.type.element_type, ()), at=op, value=1 / mesh.ranks)
        part = nn.MulOp.make(mean.result, share.result, at=op)
        return [mean, share, part], part.results

    return Signature((state,), (SUM,), lower=lower)


def _without(x: SSAValue, axes: Sequence[int]) -> tuple[str | None, ...]:
    """A label for each axis of `x` but `axes`."""
    return tuple(None if i in axes else label for i, label in enumerate(own_labels(nn.shape_of(x))))


SIGNATURES: Rules = {
    nn.SoftmaxOp: along_one_axis,
    nn.ArgMaxOp: along_one_axis,
    nn.TopKOp: along_one_axis,
    nn.CumSumOp: cum_sum,
    nn.ReduceOp: reduce,
}
