"""Normalisation, softmax and reductions."""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def batch_norm(op: nn.BatchNormOp) -> Cost:
    """
    flops = 2 n c ... + 5 c: a scale and a shift of each element, after working them out for each channel
    (add epsilon, 1 / sqrt, times scale; times mean, from bias).
    """
    return kernel(op, 2 * elements(op.result) + 5 * elements(op.scale))


def softmax(op: nn.SoftmaxOp) -> Cost:
    """flops = 5 e - 2 r for e elements in r rows: maximum and sum take e - r each; subtract, exp and divide e."""
    size = nn.shape_of(op.x)[nn.integer(op.axis)]
    rows = elements(op.x) // size if size else 0
    return kernel(op, 5 * elements(op.x) - 2 * rows)


def reduce(op: nn.ReduceOp) -> Cost:
    """flops = e - o for e elements reduced to o; a mean divides too, so e."""
    divisions = elements(op.result) if op.kind.data == "mean" else 0
    return kernel(op, elements(op.x) - elements(op.result) + divisions)


RULES: Rules = {nn.BatchNormOp: batch_norm, nn.SoftmaxOp: softmax, nn.ReduceOp: reduce}
