"""Products of matrices: rows, columns and batches may be split, and the inner axis gives partial sums."""

from __future__ import annotations

from ....ir import nn
from .signature import AxisMap, Labels, Rules, aligned_labels, sets


def matmul(op: nn.MatmulOp, ranks: int) -> AxisMap:
    """(batch, m, k) by (batch, k, n): batch axes as broadcast, m, n, and k with a partial sum."""
    result = nn.shape_of(op.result)

    def labels(value, rows: str, columns: str) -> Labels:
        return (*aligned_labels(value, (*result[:-2], *nn.shape_of(value)[-2:]))[:-2], rows, columns)

    batch = tuple(f"{i}" for i in range(len(result) - 2))
    return AxisMap(
        (labels(op.a, "m", "k"), labels(op.b, "k", "n")), ((*batch, "m", "n"),), {"k": "sum"}, linear=sets(0, 1)
    )


def gemm(op: nn.GemmOp, ranks: int) -> AxisMap:
    """As matmul; the bias is added once."""
    a: Labels = ("k", "m") if nn.integer(op.transpose_a) else ("m", "k")
    b: Labels = ("n", "k") if nn.integer(op.transpose_b) else ("k", "n")
    if op.bias is None:
        return AxisMap((a, b), (("m", "n"),), {"k": "sum"}, linear=sets(0, 1))
    names = {"0": "m", "1": "n", None: None}
    bias = tuple(names[label] for label in aligned_labels(op.bias, nn.shape_of(op.result)))
    linear = ((frozenset({0, 2}), "sum"), (frozenset({1, 2}), "sum"))
    return AxisMap((a, b, bias), (("m", "n"),), {"k": "sum"}, frozenset({2}), linear)


SIGNATURES: Rules = {nn.MatmulOp: matmul, nn.GemmOp: gemm}
