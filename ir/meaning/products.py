"""Products of matrices."""

from __future__ import annotations

from .. import nn
from .meaning import Array, Meanings


def _gemm(op: nn.GemmOp, a: Array, b: Array, bias: Array | None = None) -> Array:
    a = a.T if nn.integer(op.transpose_a) else a
    b = b.T if nn.integer(op.transpose_b) else b
    return a @ b if bias is None else a @ b + bias


MEANING: Meanings = {nn.MatmulOp: lambda op, a, b: a @ b, nn.GemmOp: _gemm}
