"""Convolution and pooling."""

from __future__ import annotations

from math import prod

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def conv2d(op: nn.Conv2dOp) -> Cost:
    """
    flops = 2 n m oh ow (c / groups) kh kw, and n m oh ow more with a bias.

    Taps on the padding count, since kernels do them; XLA's cost analysis leaves them out.
    """
    taps = prod(nn.shape_of(op.w)[1:])
    return kernel(op, elements(op.result) * (2 * taps + (op.bias is not None)))


def max_pool(op: nn.MaxPoolOp) -> Cost:
    """flops = n c oh ow (kh kw - 1) comparisons."""
    return kernel(op, elements(op.result) * (prod(nn.ints(op.kernel)) - 1))


def average_pool(op: nn.AveragePoolOp) -> Cost:
    """flops = n c oh ow kh kw: kh kw - 1 additions and a division."""
    return kernel(op, elements(op.result) * prod(nn.ints(op.kernel)))


RULES: Rules = {nn.Conv2dOp: conv2d, nn.MaxPoolOp: max_pool, nn.AveragePoolOp: average_pool}
