"""
Numbers of few bits and back: a scale, and a zero if the numbers lie to one side, for each block of elements.

`block` has an entry for each axis: so many neighbours share a scale, 0 being the whole axis. Of a matrix (n, k):
(0, 0) is one scale for all, (1, 0) one for each row, (1, 32) one for each 32 of a row, (128, 128) one for each square.
The scale has a size for each block, the last of an axis being shorter where it does not divide.
"""

from __future__ import annotations

from xdsl.dialects.builtin import DenseArrayBase, Float8E4M3FNType, Float8E5M2Type
from xdsl.ir import Attribute
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_operand_def, result_def

from .base import Shape, Tensor, TensorOp, ints, require, shape_in, shape_of, tensor, tensor_type
from .elements import bits_of, is_float, is_integer

FP8 = (Float8E4M3FNType, Float8E5M2Type)
WIDEST = 32
"""[bits] of an integer that is quantised to: sums of products are"""


@irdl_op_definition
class QuantiseOp(TensorOp):
    """
    x / scale to the nearest number of the result's type, of two equally near the even one; what is beyond is cut off.

        %q = "nn.quantise"(%x, %scale) {block = array<i64: 1, 32>}
             : (tensor<8x64xf32>, tensor<8x2xf32>) -> tensor<8x64xi4>

    For integers, clip(round(x / scale) + zero, least, largest) with a zero of the result's type, and
    clip(round(x / scale + zero), least, largest) with one of the scale's.

    (C1) x and the scale have one float element type, and at least 16 bits. (C2) The result has the shape of x, and
    integers of 1 to 32 bits or fp8 (E4M3FN, E5M2) as elements. (C3) `block` has an entry of at least 0 for each axis,
    and the scale a size for each block. (C4) The zero has the shape of the scale and one of the element types above;
    there is none for fp8.
    """

    name = "nn.quantise"
    x = operand_def()
    scale = operand_def()
    zero = opt_operand_def()
    block = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        kind, few = tensor_type(self.x).element_type, self.type.element_type
        require(kind == tensor_type(self.scale).element_type and _is_wide(kind), f"(C1) {kind} has another scale")
        shape = shape_of(self.x)
        require(_is_narrow(few) and shape_in(self.type) == shape, f"(C2) {shape} cannot become {self.type}")
        _check_blocks(self, shape, few)
        return self.type


@irdl_op_definition
class DequantiseOp(TensorOp):
    """
    (q - zero) scale, of the scale's element type.

        %x = "nn.dequantise"(%q, %scale) {block = array<i64: 1, 32>}
             : (tensor<8x64xi4>, tensor<8x2xf32>) -> tensor<8x64xf32>

    (C1) The scale has float elements of at least 16 bits. (C2) q has integers of 1 to 32 bits or fp8 as elements.
    (C3) `block` has an entry of at least 0 for each axis, and the scale a size for each block. (C4) The zero has the
    shape of the scale and the element type of q or of the scale; there is none for fp8.
    """

    name = "nn.dequantise"
    q = operand_def()
    scale = operand_def()
    zero = opt_operand_def()
    block = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        kind, few = tensor_type(self.scale).element_type, tensor_type(self.q).element_type
        require(_is_wide(kind), f"(C1) {kind} is no type of a scale")
        require(_is_narrow(few), f"(C2) {few} is no type of few bits")
        shape = shape_of(self.q)
        _check_blocks(self, shape, few)
        return tensor(kind, shape)


def scale_shape(shape: Shape, block: Shape) -> Shape:
    """The shape of the scales of a tensor of that shape: a size for each block."""
    return tuple(-(-size // of) if of > 1 else size if of else 1 for size, of in zip(shape, block, strict=True))


def _check_blocks(op: QuantiseOp | DequantiseOp, shape: Shape, few: Attribute) -> None:
    block, scale = ints(op.block), shape_of(op.scale)
    require(len(block) == len(shape) and min(block, default=0) >= 0, f"(C3) blocks {block} do not fit {shape}")
    must = scale_shape(shape, block)
    require(scale == must, f"(C3) the scale is {scale}, blocks {block} of {shape} need {must}")
    if op.zero is not None:
        kinds = (few, tensor_type(op.scale).element_type)
        fit = shape_of(op.zero) == scale and tensor_type(op.zero).element_type in kinds
        require(fit and not isinstance(few, FP8), f"(C4) {op.zero.type} is no zero for {few} with scales {scale}")


def _is_wide(kind: Attribute) -> bool:
    return is_float(kind) and bits_of(kind) >= 16


def _is_narrow(kind: Attribute) -> bool:
    return isinstance(kind, FP8) or (is_integer(kind) and bits_of(kind) <= WIDEST)


OPS = (QuantiseOp, DequantiseOp)
