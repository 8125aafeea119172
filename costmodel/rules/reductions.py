"""Reductions, searches and running sums.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def softmax(op: nn.SoftmaxOp) -> Cost:
    """
    flops = 5 e - 2 r for e elements in r rows: maximum and sum take e - r each; subtract, exp and divide e.

    Equation (11).
    """
    size = nn.shape_of(op.x)[nn.integer(op.axis)]
    rows = elements(op.x) // size if size else 0
    return kernel(op, 5 * elements(op.x) - 2 * rows)


def reduce(op: nn.ReduceOp) -> Cost:
    """flops = e - o for e elements reduced to o, none of no elements; a mean divides too, so e. Equation (12)."""
    divisions = elements(op.result) if op.kind.data == "mean" else 0
    return kernel(op, max(elements(op.x) - elements(op.result), 0) + divisions)


def arg_max(op: nn.ArgMaxOp) -> Cost:
    """flops = e - o comparisons for e elements in o rows. Equation (13)."""
    return kernel(op, elements(op.x) - elements(op.result))


def top_k(op: nn.TopKOp) -> Cost:
    """
    flops = e k comparisons for e elements: each is held against the k best of its row. Equation (14).

    An upper bound for large k; a selection over blocks (RadixSelect) reads more often but compares less.
    """
    return kernel(op, elements(op.x) * nn.integer(op.k))


def cum_sum(op: nn.CumSumOp) -> Cost:
    """flops = e additions for e elements: what one pass in order does, not what a parallel scan adds. Equation (15)."""
    return kernel(op, elements(op.x))


RULES: Rules = {
    nn.SoftmaxOp: softmax,
    nn.ReduceOp: reduce,
    nn.ArgMaxOp: arg_max,
    nn.TopKOp: top_k,
    nn.CumSumOp: cum_sum,
}
