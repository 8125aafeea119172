"""Numbers of few bits and back.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel, makes_weight_wide


def quantise(op: nn.QuantiseOp) -> Cost:
    """flops = 4 e, 5 e with a zero: divide, round, two bounds, and the zero. Equation (30)."""
    return kernel(op, (4 + (op.zero is not None)) * elements(op.x))


def dequantise(op: nn.DequantiseOp) -> Cost:
    """flops = e, 2 e with a zero; nothing for a weight, which is made wide where it is read. Equation (31)."""
    if makes_weight_wide(op):
        return Cost()
    return kernel(op, (1 + (op.zero is not None)) * elements(op.q))


RULES: Rules = {nn.QuantiseOp: quantise, nn.DequantiseOp: dequantise}
