"""Canonical forms of matrix products: transposes go into them."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement


def transpose_into_matmul(op: nn.MatmulOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.transpose"(%b) {permutation = [1, 0]};  %y = "nn.matmul"(%a, %t)
    after:  %y = "nn.gemm"(%a, %b) {transpose_a = 0, transpose_b = 1}

    (L1) Both operands are matrices. It pays: the transposed matrix is never written.
    """
    if len(nn.shape_of(op.a)) != 2 or len(nn.shape_of(op.b)) != 2:
        return None
    (a, turn_a), (b, turn_b) = _straight(op.a), _straight(op.b)
    if not (turn_a or turn_b):
        return None
    return [draft.emit(op, nn.GemmOp, a, b, transpose_a=turn_a, transpose_b=turn_b)]


def transpose_into_gemm(op: nn.GemmOp, draft: Draft) -> Replacement:
    """
    before: %t = "nn.transpose"(%b) {permutation = [1, 0]};  %y = "nn.gemm"(%a, %t, %c) {transpose_b = 1}
    after:  %y = "nn.gemm"(%a, %b, %c) {transpose_b = 0}

    It pays: the transposed matrix is never written.
    """
    (a, turn_a), (b, turn_b) = _straight(op.a), _straight(op.b)
    if not (turn_a or turn_b):
        return None
    turn_a, turn_b = turn_a ^ nn.integer(op.transpose_a), turn_b ^ nn.integer(op.transpose_b)
    return [draft.emit(op, nn.GemmOp, a, b, op.bias, transpose_a=turn_a, transpose_b=turn_b)]


def plain_gemm(op: nn.GemmOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.gemm"(%a, %b) {transpose_a = 0, transpose_b = 0}
    after:  %y = "nn.matmul"(%a, %b)
    """
    if op.bias is not None or nn.integer(op.transpose_a) or nn.integer(op.transpose_b):
        return None
    return [draft.emit(op, nn.MatmulOp, op.a, op.b)]


def _straight(value: SSAValue) -> tuple[SSAValue, int]:
    """What `value` is a transpose of, and 1; or itself and 0."""
    owner = value.owner
    return (owner.x, 1) if isinstance(owner, nn.TransposeOp) and nn.ints(owner.permutation) == (1, 0) else (value, 0)


PATTERNS: Patterns = {
    nn.MatmulOp: [("transpose-into-matmul", transpose_into_matmul)],
    nn.GemmOp: [("transpose-into-gemm", transpose_into_gemm), ("gemm-as-matmul", plain_gemm)],
}
