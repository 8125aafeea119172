"""Products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import IntegerAttr
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_operand_def, result_def

from .base import (
    AttributeLike,
    Tensor,
    TensorOp,
    integer,
    require,
    same_element_type,
    shape_of,
    with_shape,
)
from .shapes import broadcast, broadcasts_to


@irdl_op_definition
class MatmulOp(TensorOp):
    """
    The product of the last two axes, (..., m, k) by (..., k, n); the axes before them broadcast.

        %y = "nn.matmul"(%a, %b) : (tensor<2x3x4xf32>, tensor<4x5xf32>) -> tensor<2x3x5xf32>

    (C1) Operands have one element type. (C2) Axes before the last two broadcast.
    (C3) Both have at least rank 2, and the inner sizes agree.
    """

    name = "nn.matmul"
    a = operand_def()
    b = operand_def()
    result = result_def()

    def infer(self) -> Tensor:
        same_element_type(self)
        a, b = shape_of(self.a), shape_of(self.b)
        require(min(len(a), len(b)) >= 2 and a[-1] == b[-2], f"(C3) {a} by {b} is no matrix product")
        return with_shape(self.a, (*broadcast([a[:-2], b[:-2]]), a[-2], b[-1]))


@irdl_op_definition
class GemmOp(TensorOp):
    """
    A matrix product (m, k) by (k, n), either transposed on the way, plus a bias that broadcasts to (m, n) if given.

        %y = "nn.gemm"(%a, %b, %c) {transpose_a = 0 : i64, transpose_b = 1 : i64} : (...) -> tensor<1x1000xf32>

    (C1) Operands have one element type. (C2) Both matrices have rank 2, and the inner sizes agree.
    (C3) The bias broadcasts to (m, n).
    """

    name = "nn.gemm"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"transpose_a": 0, "transpose_b": 0}
    a = operand_def()
    b = operand_def()
    bias = opt_operand_def()
    transpose_a = attr_def(IntegerAttr)
    transpose_b = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        same_element_type(self)
        a, b = shape_of(self.a), shape_of(self.b)
        require(len(a) == len(b) == 2, f"(C2) {a} by {b} is no product of two matrices")
        a = a[::-1] if integer(self.transpose_a) else a
        b = b[::-1] if integer(self.transpose_b) else b
        require(a[1] == b[0], f"(C2) inner sizes {a[1]} and {b[0]} differ")
        shape = (a[0], b[1])
        if self.bias is not None:
            bias = shape_of(self.bias)
            require(broadcasts_to(bias, shape), f"(C3) a bias {bias} does not broadcast to {shape}")
        return with_shape(self.a, shape)


OPS = (MatmulOp, GemmOp)
