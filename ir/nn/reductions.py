"""Normalisation, softmax and reductions."""

from __future__ import annotations

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, StringAttr
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, result_def

from .base import (
    Tensor,
    TensorOp,
    integer,
    ints,
    require,
    same_element_type,
    shape_of,
    with_shape,
)

REDUCTIONS = ("sum", "mean", "max")


@irdl_op_definition
class BatchNormOp(TensorOp):
    """
    (x - mean) / sqrt(variance + epsilon) * scale + bias for each channel c of (n, c, ...).

        %y = "nn.batch_norm"(%x, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (...) -> tensor<1x8x4xf32>

    (C1) Operands have one element type. (C2) The input has at least rank 2, all others have shape (c).
    """

    name = "nn.batch_norm"
    x = operand_def()
    scale = operand_def()
    bias = operand_def()
    mean = operand_def()
    variance = operand_def()
    epsilon = attr_def(FloatAttr)
    result = result_def()

    def infer(self) -> Tensor:
        same_element_type(self)
        shape = shape_of(self.x)
        require(len(shape) >= 2, f"(C2) the input has rank {len(shape)}, must be at least 2")
        for operand in self.operands[1:]:
            require(shape_of(operand) == (shape[1],), f"(C2) {shape_of(operand)} must be ({shape[1]})")
        return with_shape(self.x, shape)


@irdl_op_definition
class SoftmaxOp(TensorOp):
    """
    exp(x) over its sum along `axis`, shifted by the maximum so that nothing overflows.

        %y = "nn.softmax"(%x) {axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>

    (C1) 0 <= axis < rank.
    """

    name = "nn.softmax"
    x = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, axis = shape_of(self.x), integer(self.axis)
        require(0 <= axis < len(shape), f"(C1) axis {axis} is outside rank {len(shape)}")
        return with_shape(self.x, shape)


@irdl_op_definition
class ReduceOp(TensorOp):
    """
    The sum, mean or max along `axes`, which stay as size 1.

        %y = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 2, 3>} : (tensor<1x8x4x4xf32>) -> tensor<1x8x1x1xf32>

    (C1) `kind` is sum, mean or max. (C2) `axes` rise strictly within the rank of the input.
    """

    name = "nn.reduce"
    x = operand_def()
    kind = attr_def(StringAttr)
    axes = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        require(self.kind.data in REDUCTIONS, f"(C1) `{self.kind.data}` is no reduction")
        shape, axes = shape_of(self.x), ints(self.axes)
        rising = list(axes) == sorted(set(axes)) and all(0 <= a < len(shape) for a in axes)
        require(rising, f"(C2) axes {axes} do not rise within rank {len(shape)}")
        return with_shape(self.x, [1 if i in axes else size for i, size in enumerate(shape)])


OPS = (BatchNormOp, SoftmaxOp, ReduceOp)
