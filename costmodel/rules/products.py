"""Products of matrices.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def matmul(op: nn.MatmulOp) -> Cost:
    """flops = 2 b m n k, b being the product of the broadcast axes. Equation (2)."""
    return kernel(op, 2 * elements(op.result) * nn.shape_of(op.a)[-1])


def gemm(op: nn.GemmOp) -> Cost:
    """flops = 2 m n k, and m n more with a bias. Equation (3)."""
    inner = nn.shape_of(op.a)[0 if nn.integer(op.transpose_a) else 1]
    return kernel(op, elements(op.result) * (2 * inner + (op.bias is not None)))


RULES: Rules = {nn.MatmulOp: matmul, nn.GemmOp: gemm}
