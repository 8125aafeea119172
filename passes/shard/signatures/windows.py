"""Convolution and pooling: batches, filters and channels; not the axes that a window slides over."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.ir import Attribute

from ....ir import nn
from ....ir.nn.base import as_attribute
from ..states import divides
from .signature import AxisMap, Labels, Rules, sets


def conv(op: nn.ConvOp | nn.ConvTransposeOp, ranks: int) -> AxisMap:
    """
    Batches and filters; channels with a partial sum, to which the bias is added once.

    Of grouped convolutions groups are split, with their channels and filters.
    """
    groups = nn.integer(op.groups)
    rest = (None,) * (len(nn.shape_of(op.x)) - 2)
    transposed = isinstance(op, nn.ConvTransposeOp)
    if groups > 1:
        label = "g" if divides(ranks, groups) else None
        w: Labels = (label, None)
        x, out, m = label, label, label
    else:
        w = ("c", "m") if transposed else ("m", "c")
        x, out, m = "c", "m", "m"
    changes: Mapping[str, Mapping[str, Attribute]] = {"g": {"groups": as_attribute(groups // ranks)}}
    bias = ((m,),) if op.bias is not None else ()
    also = {2} if bias else set[int]()
    return AxisMap(
        (("n", x, *rest), (*w, *rest), *bias),
        (("n", out, *rest),),
        {"c": "sum"},
        frozenset(also),
        tuple((frozenset({i} | also), "sum") for i in (0, 1)),
        changes,
    )


def pool(op: nn.PoolOp, ranks: int) -> AxisMap:
    """Batches and channels; the mean of a sum is the sum of means, the max of a max its max."""
    labels = ("n", "c", *(None,) * (len(nn.shape_of(op.x)) - 2))
    return AxisMap((labels,), (labels,), linear=sets(0, reduction="max" if isinstance(op, nn.MaxPoolOp) else "sum"))


SIGNATURES: Rules = {nn.ConvOp: conv, nn.ConvTransposeOp: conv, nn.MaxPoolOp: pool, nn.AveragePoolOp: pool}
