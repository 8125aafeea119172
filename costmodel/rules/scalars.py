"""Scalar functions."""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def elementwise(op: nn.ElementwiseOp) -> Cost:
    """flops = elements of the result."""
    return kernel(op, elements(op.results[0]))


def fused_elementwise(op: nn.FusedElementwiseOp) -> Cost:
    """flops = steps x elements of the result: a step on operands that broadcast is done again for each element."""
    return kernel(op, len(op.steps) * elements(op.result))


RULES: Rules = {**dict.fromkeys((*nn.UNARY, *nn.BINARY), elementwise), nn.FusedElementwiseOp: fused_elementwise}
