"""What the rules share: sizes of tensors, and the traffic of one launch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.dialects.builtin import FixedBitwidthType
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ..cost import Cost, CostRule

Rules = Mapping[type[Operation], CostRule]


def tensor_bytes(value: SSAValue) -> int:
    """[bytes] of the tensor `value`."""
    element = nn.tensor_type(value).element_type
    assert isinstance(element, FixedBitwidthType)
    return elements(value) * element.size


def elements(value: SSAValue) -> int:
    """Number of elements of the tensor `value`."""
    return prod(nn.shape_of(value))


def kernel(op: Operation, flops: float) -> Cost:
    """One launch that does `flops`, reads every operand once (one used twice, once) and writes the result."""
    read = sum(tensor_bytes(o) for o in dict.fromkeys(op.operands))
    return Cost(flops, read, tensor_bytes(op.results[0]), 1)
