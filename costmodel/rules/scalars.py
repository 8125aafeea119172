"""Scalar functions.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel, makes_weight_wide

COMPOSITE = {
    "gelu": 5,
    "gelu_tanh": 9,
    "silu": 2,
    "softplus": 2,
    "mish": 4,
    "hard_sigmoid": 4,
    "hard_swish": 5,
}
"""
Scalar functions made of others -> how many: the operations of the formula in the op's docstring, with exp, tanh, erf,
sigmoid and log1p as one, and divisions by constants as multiplications. So a chain costs the same before and
after it is recognised as one of them.
"""


def flops_of(kind: str) -> int:
    """[flops] of one scalar function."""
    return COMPOSITE.get(kind, 1)


def elementwise(op: nn.ElementwiseOp) -> Cost:
    """flops = elements of the result, times the operations of a composite function. Equation (20)."""
    return kernel(op, flops_of(op.kind) * elements(op.results[0]))


def fused_elementwise(op: nn.FusedElementwiseOp) -> Cost:
    """
    flops = those of all steps x elements of the result: a step on operands that broadcast is done again for each.

    Equation (21).
    """
    return kernel(op, sum(flops_of(kind) for kind, _ in op.chain) * elements(op.result))


def one_each(op: nn.ComparisonOp | nn.WhereOp | nn.CastOp) -> Cost:
    """flops = elements of the result; a weight of few bits is cast where it is read. Equation (22)."""
    return Cost() if makes_weight_wide(op) else kernel(op, elements(op.result))


RULES: Rules = {
    **dict.fromkeys((*nn.UNARY, *nn.BINARY), elementwise),
    **dict.fromkeys((*nn.COMPARISONS, nn.WhereOp, nn.CastOp), one_each),
    nn.FusedElementwiseOp: fused_elementwise,
}
