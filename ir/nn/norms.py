"""Normalisation by mean and variance, or by the root of the mean square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import FloatAttr, IntegerAttr
from xdsl.ir import SSAValue
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_operand_def, result_def, var_operand_def

from .base import AttributeLike, Shape, Tensor, TensorOp, integer, require, same_element_type, shape_of, tensor_type
from .elements import is_float
from .shapes import axis_of


class NormOp(TensorOp):
    """
    A tensor normalised to its own shape.

    (C1) Operands have one element type, of floats.
    """

    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"epsilon": 1e-5}
    epsilon = attr_def(FloatAttr)

    def checked(self) -> Shape:
        """The shape of the first operand, after checking (C1)."""
        same_element_type(self)
        type = tensor_type(self.operands[0])
        require(is_float(type.element_type), f"(C1) {self.name} is of floats, not of {type.element_type}")
        return shape_of(self.operands[0])


@irdl_op_definition
class BatchNormOp(NormOp):
    """
    (x - mean) / sqrt(variance + epsilon) * scale + bias for each channel c of (n, c, ...).

        %y = "nn.batch_norm"(%x, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (...) -> tensor<1x8x4xf32>

    (C1) Operands have one element type, of floats. (C2) The input has at least rank 2, all others have shape (c).
    """

    name = "nn.batch_norm"
    x = operand_def()
    scale = operand_def()
    bias = operand_def()
    mean = operand_def()
    variance = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        shape = self.checked()
        require(len(shape) >= 2, f"(C2) the input has rank {len(shape)}, must be at least 2")
        for operand in self.operands[1:]:
            require(shape_of(operand) == (shape[1],), f"(C2) {shape_of(operand)} must be ({shape[1]})")
        return tensor_type(self.x)


@irdl_op_definition
class LayerNormOp(NormOp):
    """
    (x - mean) / sqrt(variance + epsilon) * scale + bias, with mean and variance over the axes from `axis` on.

        %y = "nn.layer_norm"(%x, %scale, %bias) {axis = 2 : i64, epsilon = 1.0e-05 : f64} : (...) -> tensor<1x4x8xf32>

    Scale and bias, or the bias alone, may be absent.

    (C1) Operands have one element type, of floats. (C2) 0 <= axis < rank.
    (C3) There are one to three operands; scale and bias have the shape of the input from `axis` on.
    """

    name = "nn.layer_norm"
    inputs = var_operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    @property
    def x(self) -> SSAValue:
        """What is normalised."""
        return self.operands[0]

    @property
    def scale(self) -> SSAValue | None:
        """The gain of each element, if there is one."""
        return self.operands[1] if len(self.operands) > 1 else None

    @property
    def bias(self) -> SSAValue | None:
        """The shift of each element, if there is one."""
        return self.operands[2] if len(self.operands) > 2 else None

    def infer(self) -> Tensor:
        require(1 <= len(self.operands) <= 3, f"(C3) {len(self.operands)} operands, must be one to three")
        shape, axis = self.checked(), axis_of(self.axis, self.operands[0], 2)
        for operand in self.operands[1:]:
            require(shape_of(operand) == shape[axis:], f"(C3) {shape_of(operand)} must be {shape[axis:]}")
        return tensor_type(self.x)


@irdl_op_definition
class RmsNormOp(NormOp):
    """
    x / sqrt(mean(x * x) + epsilon) * scale, with the mean over the axes from `axis` on; the scale may be absent.

        %y = "nn.rms_norm"(%x, %scale) {axis = 2 : i64, epsilon = 1.0e-06 : f64} : (...) -> tensor<1x4x8xf32>

    (C1) Operands have one element type, of floats. (C2) 0 <= axis < rank.
    (C3) The scale has the shape of the input from `axis` on.
    """

    name = "nn.rms_norm"
    x = operand_def()
    scale = opt_operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, axis = self.checked(), axis_of(self.axis, self.operands[0], 2)
        scale = shape[axis:] if self.scale is None else shape_of(self.scale)
        require(scale == shape[axis:], f"(C3) {scale} must be {shape[axis:]}")
        return tensor_type(self.x)


@irdl_op_definition
class GroupNormOp(NormOp):
    """
    (x - mean) / sqrt(variance + epsilon) * scale + bias for (n, c, ...), with mean and variance over each group of
    neighbouring channels and the axes after them; scale and bias are of each channel.

        %y = "nn.group_norm"(%x, %scale, %bias) {groups = 4 : i64, epsilon = 1.0e-05 : f64} : (...) -> tensor<1x8x4xf32>

    With as many groups as channels it is instance normalisation.

    (C1) Operands have one element type, of floats. (C2) The input has at least rank 2, all others have shape (c).
    (C3) `groups` is at least 1 and divides c.
    """

    name = "nn.group_norm"
    x = operand_def()
    scale = operand_def()
    bias = operand_def()
    groups = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, groups = self.checked(), integer(self.groups)
        require(len(shape) >= 2, f"(C2) the input has rank {len(shape)}, must be at least 2")
        for operand in self.operands[1:]:
            require(shape_of(operand) == (shape[1],), f"(C2) {shape_of(operand)} must be ({shape[1]})")
        require(groups >= 1 and shape[1] % groups == 0, f"(C3) {groups} groups do not divide {shape[1]} channels")
        return tensor_type(self.x)


OPS = (BatchNormOp, LayerNormOp, RmsNormOp, GroupNormOp)
