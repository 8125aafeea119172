"""Mixture of experts: tokens while they are routed, the width of each expert, and experts (`exchange.py`)."""

from __future__ import annotations

from ....ir import nn
from . import exchange
from .signature import AxisMap, Rules, Signature, sets


def route(op: nn.RouteOp, ranks: int) -> AxisMap:
    """Tokens."""
    bias = ((None,),) * (len(op.operands) - 1)
    return AxisMap((("t", None), *bias), (("t", None), ("t", None)))


def dispatch(op: nn.DispatchOp, ranks: int) -> list[Signature]:
    """The width of the tokens; rows are sorted over all tokens."""
    widths = AxisMap(((None, "d"), (None, None)), ((None, "d"), (None,), (None,)))
    return [*widths.signatures(op, ranks), *exchange.dispatch(op, ranks)]


def grouped_matmul(op: nn.GroupedMatmulOp, ranks: int) -> list[Signature]:
    """The inner and the outer width of every expert, as in a matmul."""
    w = (None, "n", "k") if nn.integer(op.transpose_b) else (None, "k", "n")
    widths = AxisMap(((None, "k"), w, (None,)), ((None, "n"),), {"k": "sum"}, linear=sets(0, 1))
    return [*widths.signatures(op, ranks), *exchange.grouped_matmul(op, ranks)]


def combine(op: nn.CombineOp, ranks: int) -> list[Signature]:
    """The width of the rows; sums of weighted rows are linear in both."""
    widths = AxisMap(((None, "d"), (None, None), (None,)), ((None, "d"),), linear=sets(0, 1))
    return [*widths.signatures(op, ranks), *exchange.combine(op, ranks)]


SIGNATURES: Rules = {
    nn.RouteOp: route,
    nn.DispatchOp: dispatch,
    nn.GroupedMatmulOp: grouped_matmul,
    nn.CombineOp: combine,
}
