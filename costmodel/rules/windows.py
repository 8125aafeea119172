"""Convolution and pooling.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from math import prod

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def conv(op: nn.ConvOp) -> Cost:
    """
    flops = 2 n m (output places) (c / groups) (places in the window), and one more for each output with a bias.
    Equation (4).

    Taps on the padding count, since kernels do them; XLA's cost analysis leaves them out.
    """
    taps = prod(nn.shape_of(op.w)[1:])
    return kernel(op, elements(op.result) * (2 * taps + (op.bias is not None)))


def conv_transpose(op: nn.ConvTransposeOp) -> Cost:
    """
    flops = 2 n c (input places) (m / groups) (places in the window), and one more for each output with a bias.
    Equation (5).

    What falls on the pads that are cut off counts; XLA's cost analysis leaves it out.
    """
    taps = prod(nn.shape_of(op.w)[1:])
    return kernel(op, 2 * elements(op.x) * taps + (elements(op.result) if op.bias is not None else 0))


def max_pool(op: nn.MaxPoolOp) -> Cost:
    """flops = outputs x (places in the window - 1) comparisons. Equation (6)."""
    return kernel(op, elements(op.result) * (prod(nn.ints(op.kernel)) - 1))


def average_pool(op: nn.AveragePoolOp) -> Cost:
    """flops = outputs x places in the window: one addition fewer, and a division. Equation (7)."""
    return kernel(op, elements(op.result) * prod(nn.ints(op.kernel)))


RULES: Rules = {
    nn.ConvOp: conv,
    nn.ConvTransposeOp: conv_transpose,
    nn.MaxPoolOp: max_pool,
    nn.AveragePoolOp: average_pool,
}
