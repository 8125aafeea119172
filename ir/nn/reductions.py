"""Reductions, searches and running sums along axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, StringAttr, i64
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, result_def

from .base import AttributeLike, Tensor, TensorOp, integer, ints, require, shape_of, tensor, tensor_type, with_shape
from .elements import is_float, is_number
from .shapes import axis_of, replaced, require_rising

REDUCTIONS = ("sum", "mean", "max", "min", "prod")


@irdl_op_definition
class SoftmaxOp(TensorOp):
    """
    exp(x) over its sum along `axis`, shifted by the maximum so that nothing overflows.

        %y = "nn.softmax"(%x) {axis = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>

    (C1) 0 <= axis < rank. (C2) The input is of floats.
    """

    name = "nn.softmax"
    x = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis_of(self.axis, self.x, 1)
        type = tensor_type(self.x)
        require(is_float(type.element_type), f"(C2) a softmax of {type.element_type}, must be of floats")
        return with_shape(self.x, shape_of(self.x))


@irdl_op_definition
class ReduceOp(TensorOp):
    """
    The sum, mean, max, min or prod along `axes`, which stay as size 1.

        %y = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 2, 3>} : (tensor<1x8x4x4xf32>) -> tensor<1x8x1x1xf32>

    (C1) `kind` is sum, mean, max, min or prod. (C2) `axes` rise strictly within the rank of the input.
    (C3) A mean is of floats, a sum and a prod of numbers; max and min are of i1 too, where they mean any and all.
    """

    name = "nn.reduce"
    x = operand_def()
    kind = attr_def(StringAttr)
    axes = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        kind, element = self.kind.data, tensor_type(self.x).element_type
        require(kind in REDUCTIONS, f"(C1) `{kind}` is no reduction")
        shape, axes = shape_of(self.x), ints(self.axes)
        require_rising(axes, self.x, 2)
        of = {"mean": is_float, "sum": is_number, "prod": is_number}.get(kind)
        require(of is None or of(element), f"(C3) there is no {kind} of {element}")
        return with_shape(self.x, [1 if i in axes else size for i, size in enumerate(shape)])


@irdl_op_definition
class ArgMaxOp(TensorOp):
    """
    Where along `axis`, which stays as size 1, the largest element is; the first of equal ones.

        %i = "nn.arg_max"(%x) {axis = 1 : i64} : (tensor<2x8xf32>) -> tensor<2x1xi64>

    (C1) 0 <= axis < rank. (C2) The axis has an element.
    """

    name = "nn.arg_max"
    x = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis, shape = axis_of(self.axis, self.x, 1), shape_of(self.x)
        require(shape[axis] >= 1, f"(C2) axis {axis} of {shape} is empty")
        return tensor(i64, replaced(shape, axis, 1))


@irdl_op_definition
class TopKOp(TensorOp):
    """
    The `k` largest elements along `axis`, largest first, and where they are; of equal ones the first comes first.

        %v, %i = "nn.top_k"(%x) {k = 2 : i64, axis = 1 : i64} : (tensor<4x8xf32>) -> (tensor<4x2xf32>, tensor<4x2xi64>)

    (C1) 0 <= axis < rank. (C2) 0 <= k <= the size of the axis.
    """

    name = "nn.top_k"
    x = operand_def()
    k = attr_def(IntegerAttr)
    axis = attr_def(IntegerAttr)
    values = result_def()
    indices = result_def()

    def infer(self) -> tuple[Tensor, Tensor]:
        axis, shape, k = axis_of(self.axis, self.x, 1), shape_of(self.x), integer(self.k)
        require(0 <= k <= shape[axis], f"(C2) axis {axis} of {shape} has no {k} elements")
        chosen = replaced(shape, axis, k)
        return with_shape(self.x, chosen), tensor(i64, chosen)


@irdl_op_definition
class CumSumOp(TensorOp):
    """
    The sum of each element and all before it along `axis`; without itself if `exclusive`, those after it if `reverse`.

        %y = "nn.cum_sum"(%x) {axis = 1 : i64, exclusive = 0 : i64, reverse = 0 : i64} : (...) -> tensor<2x8xf32>

    (C1) 0 <= axis < rank. (C2) The input is of numbers. (C3) `exclusive` and `reverse` are 0 or 1.
    """

    name = "nn.cum_sum"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"exclusive": 0, "reverse": 0}
    x = operand_def()
    axis = attr_def(IntegerAttr)
    exclusive = attr_def(IntegerAttr)
    reverse = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        axis_of(self.axis, self.x, 1)
        element = tensor_type(self.x).element_type
        require(is_number(element), f"(C2) there is no sum of {element}")
        flags = (integer(self.exclusive), integer(self.reverse))
        require(set(flags) <= {0, 1}, f"(C3) `exclusive` and `reverse` are {flags}, must be 0 or 1")
        return with_shape(self.x, shape_of(self.x))


OPS = (SoftmaxOp, ReduceOp, ArgMaxOp, TopKOp, CumSumOp)
