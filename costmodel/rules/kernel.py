"""What the rules share: sizes of tensors, and the traffic of one launch.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ..cost import Cost, CostRule

Rules = Mapping[type[Operation], CostRule]


def tensor_bytes(value: SSAValue) -> int:
    """[bytes] of the tensor `value`, packed: elements of less than a byte share bytes, and the last is filled up."""
    bits = elements(value) * nn.bits_of(nn.tensor_type(value).element_type)
    return (bits + 7) // 8


def elements(value: SSAValue) -> int:
    """Number of elements of the tensor `value`."""
    return prod(nn.shape_of(value))


def makes_weight_wide(op: object) -> bool:
    """Whether `op` turns a weight of few bits into floats: the kernels that read it do so on the way, at no cost."""
    if isinstance(op, nn.CastOp):
        return makes_weight_wide(op.x.owner)
    return isinstance(op, nn.DequantiseOp) and isinstance(op.q.owner, nn.WeightOp)


def read_bytes(value: SSAValue) -> int:
    """[bytes] that a kernel reads for its operand `value`: of a weight of few bits, what is stored, with its scales."""
    op = value.owner
    if not makes_weight_wide(op):
        return tensor_bytes(value)
    while isinstance(op, nn.CastOp):
        op = op.x.owner
    return sum(tensor_bytes(o) for o in op.operands) if isinstance(op, nn.DequantiseOp) else 0


def kernel(op: Operation, flops: float) -> Cost:
    """
    One launch that does `flops`, reads every operand once (one used twice, once) and writes the results.

    Equation (1).
    """
    read = sum(read_bytes(o) for o in dict.fromkeys(op.operands))
    return Cost(flops, read, sum(tensor_bytes(r) for r in op.results), 1)
