"""Mixture of experts: tokens while they are routed, and the width of each expert."""

from __future__ import annotations

from ....ir import nn
from .signature import AxisMap, Rules, sets


def route(op: nn.RouteOp, ranks: int) -> AxisMap:
    """Tokens."""
    bias = ((None,),) * (len(op.operands) - 1)
    return AxisMap((("t", None), *bias), (("t", None), ("t", None)))


def dispatch(op: nn.DispatchOp, ranks: int) -> AxisMap:
    """The width of the tokens; rows are sorted over all tokens."""
    return AxisMap(((None, "d"), (None, None)), ((None, "d"), (None,), (None,)))


def grouped_matmul(op: nn.GroupedMatmulOp, ranks: int) -> AxisMap:
    """The inner and the outer width of every expert, as in a matmul."""
    w = (None, "n", "k") if nn.integer(op.transpose_b) else (None, "k", "n")
    return AxisMap(((None, "k"), w, (None,)), ((None, "n"),), {"k": "sum"}, linear=sets(0, 1))


def combine(op: nn.CombineOp, ranks: int) -> AxisMap:
    """The width of the rows; sums of weighted rows are linear in both."""
    return AxisMap(((None, "d"), (None, None), (None,)), ((None, "d"),), linear=sets(0, 1))


SIGNATURES: Rules = {
    nn.RouteOp: route,
    nn.DispatchOp: dispatch,
    nn.GroupedMatmulOp: grouped_matmul,
    nn.CombineOp: combine,
}
