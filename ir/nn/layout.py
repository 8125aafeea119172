"""Ops that make, name or rearrange tensors and compute nothing."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, StringAttr
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, result_def, var_operand_def

from .base import Tensor, TensorOp, integer, ints, require, same_element_type, shape_in, shape_of, with_shape
from .shapes import broadcasts_to


@irdl_op_definition
class WeightOp(TensorOp):
    """
    A trained tensor, by name; its values stand beside the module, never in it.

        %w = "nn.weight"() {weight = "conv1_w"} : () -> tensor<64x3x7x7xf32>

    (C1) The name is not empty.
    """

    name = "nn.weight"
    weight = attr_def(StringAttr)
    result = result_def()

    def infer(self) -> Tensor:
        require(bool(self.weight.data), "(C1) a weight needs a name")
        return self.type


@irdl_op_definition
class FillOp(TensorOp):
    """
    A tensor that is `value` everywhere; rank 0 is a scalar.

        %c = "nn.fill"() {value = 1.0e-05 : f64} : () -> tensor<f32>
    """

    name = "nn.fill"
    value = attr_def(FloatAttr)
    result = result_def()

    def infer(self) -> Tensor:
        return self.type


@irdl_op_definition
class ReshapeOp(TensorOp):
    """
    The same elements in the same order under another shape.

        %y = "nn.reshape"(%x) : (tensor<1x8x4x4xf32>) -> tensor<1x128xf32>

    (C1) Input and result have as many elements and one element type.
    """

    name = "nn.reshape"
    x = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        old, new = shape_of(self.x), shape_in(self.type)
        require(prod(old) == prod(new), f"(C1) {old} has {prod(old)} elements and {new} has {prod(new)}")
        require(with_shape(self.x, new) == self.type, "(C1) a reshape keeps the element type")
        return self.type


@irdl_op_definition
class BroadcastOp(TensorOp):
    """
    The input repeated to the shape of the result, as numpy broadcasts.

        %y = "nn.broadcast"(%x) : (tensor<8x1xf32>) -> tensor<4x8x3xf32>

    (C1) The input broadcasts to the result and has its element type.
    """

    name = "nn.broadcast"
    x = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        old, new = shape_of(self.x), shape_in(self.type)
        require(broadcasts_to(old, new), f"(C1) {old} does not broadcast to {new}")
        require(with_shape(self.x, new) == self.type, "(C1) a broadcast keeps the element type")
        return self.type


@irdl_op_definition
class TransposeOp(TensorOp):
    """
    Axis i of the result is axis `permutation[i]` of the input.

        %y = "nn.transpose"(%x) {permutation = array<i64: 0, 2, 1>} : (tensor<1x2x3xf32>) -> tensor<1x3x2xf32>

    (C1) `permutation` holds every axis once.
    """

    name = "nn.transpose"
    x = operand_def()
    permutation = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        shape, order = shape_of(self.x), ints(self.permutation)
        require(sorted(order) == list(range(len(shape))), f"(C1) {order} is no permutation of rank {len(shape)}")
        return with_shape(self.x, [shape[i] for i in order])


@irdl_op_definition
class ConcatOp(TensorOp):
    """
    The inputs one after another along `axis`.

        %y = "nn.concat"(%a, %b) {axis = 1 : i64} : (tensor<1x8xf32>, tensor<1x4xf32>) -> tensor<1x12xf32>

    (C1) There is an input, and inputs have one element type. (C2) 0 <= axis < rank.
    (C3) Shapes agree outside `axis`.
    """

    name = "nn.concat"
    inputs = var_operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        require(len(self.operands) > 0, "(C1) a concat needs an input")
        same_element_type(self)
        shapes, axis = [shape_of(o) for o in self.operands], integer(self.axis)
        require(0 <= axis < len(shapes[0]), f"(C2) axis {axis} is outside rank {len(shapes[0])}")
        rest = {s[:axis] + s[axis + 1 :] for s in shapes}
        require(len(rest) == 1, f"(C3) shapes {shapes} differ outside axis {axis}")
        total = sum(s[axis] for s in shapes)
        return with_shape(self.operands[0], (*shapes[0][:axis], total, *shapes[0][axis + 1 :]))


@irdl_op_definition
class SliceOp(TensorOp):
    """
    The elements from `starts` to `limits` (exclusive) along each axis.

        %y = "nn.slice"(%x) {starts = array<i64: 0, 2>, limits = array<i64: 1, 6>} : (...) -> tensor<1x4xf32>

    (C1) Each axis has a start and a limit with 0 <= start <= limit <= size.
    """

    name = "nn.slice"
    x = operand_def()
    starts = attr_def(DenseArrayBase)
    limits = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        shape, starts, limits = shape_of(self.x), ints(self.starts), ints(self.limits)
        inside = len(starts) == len(limits) == len(shape) and all(
            0 <= a <= b <= size for a, b, size in zip(starts, limits, shape, strict=True)
        )
        require(inside, f"(C1) the slice {starts} to {limits} is not inside {shape}")
        return with_shape(self.x, [b - a for a, b in zip(starts, limits, strict=True)])


OPS = (WeightOp, FillOp, ReshapeOp, BroadcastOp, TransposeOp, ConcatOp, SliceOp)
