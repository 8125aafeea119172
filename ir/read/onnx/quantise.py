"""Numbers of few bits and back."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import IntegerType, Signedness
from xdsl.ir import SSAValue

from ... import nn
from .node import Handler, Node, Result, Unreadable, axis_within, element_named

UNSIGNED_BYTE = IntegerType(8, Signedness.UNSIGNED)


def _blocked(node: Node, scale: SSAValue, zero: SSAValue | None) -> tuple[tuple[int, ...], SSAValue, SSAValue | None]:
    """(blocks, scale, zero) in the form of nn: the scale has the rank of the input."""
    shape, scales = node.shape(), nn.shape_of(scale)
    size = node.attribute("block_size", 0)
    if not scales or scales == (1,):
        block, wanted = (0,) * len(shape), (1,) * len(shape)
    else:
        axis = axis_within(node.attribute("axis", 1), len(shape))
        if size:
            block, wanted = tuple(size if i == axis else 1 for i in range(len(shape))), scales
        else:
            block = tuple(1 if i == axis else 0 for i in range(len(shape)))
            wanted = tuple(n if i == axis else 1 for i, n in enumerate(shape))
    return block, node.reshaped(scale, wanted), None if zero is None else node.reshaped(zero, wanted)


def _is_fp8(value: SSAValue | None) -> bool:
    return value is not None and nn.is_float(nn.tensor_type(value).element_type)


def _quantise(node: Node) -> Result:
    zero = node.optional(2)
    number = node.attribute("output_dtype", 0)
    if zero is not None:
        element = nn.tensor_type(zero).element_type
    else:
        element = element_named(number) if number else UNSIGNED_BYTE
    block, scale, zero = _blocked(node, node.tensor(1), None if _is_fp8(zero) else zero)
    x = node.cast(node.tensor(0), nn.tensor_type(scale).element_type)
    return node.emit(nn.QuantiseOp, x, scale, zero, block=block, type=nn.tensor(element, node.shape()))


def _dequantise(node: Node) -> Result:
    zero = node.optional(2)
    block, scale, zero = _blocked(node, node.tensor(1), None if _is_fp8(zero) else zero)
    return node.emit(nn.DequantiseOp, node.tensor(0), scale, zero, block=block)


def _dynamic(node: Node) -> Result:
    raise Unreadable("a scale that follows from the input is not supported: quantise with constants")


OPERATORS: Mapping[str, Handler] = {
    "DequantizeLinear": _dequantise,
    "DynamicQuantizeLinear": _dynamic,
    "QuantizeLinear": _quantise,
}
