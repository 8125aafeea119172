"""Convolution and pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr
from xdsl.ir import SSAValue
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_operand_def, result_def

from .base import (
    AttributeLike,
    Shape,
    Tensor,
    TensorOp,
    integer,
    ints,
    require,
    same_element_type,
    shape_of,
    with_shape,
)


class WindowOp(TensorOp):
    """A window that slides over the last two axes of operand 0, (n, c, h, w); pads are (top, left, bottom, right)."""

    # The operand itself is declared by each op: xDSL puts operands of a base class after those of the op.
    strides = attr_def(DenseArrayBase)
    pads = attr_def(DenseArrayBase)

    def slide(self, kernel: Shape, dilations: Shape = (1, 1)) -> Shape:
        """The output's (h, w) for a window of size `kernel`."""
        shape, strides, pads = shape_of(self.operands[0]), ints(self.strides), ints(self.pads)
        require(len(shape) == 4, f"(C1) the input of {self.name} has rank {len(shape)}, must be 4")
        fits = len(strides) == len(dilations) == len(kernel) == 2 and len(pads) == 4
        require(fits and min(*strides, *dilations, *kernel) >= 1 and min(pads) >= 0, "(C2) bad window numbers")
        sizes = []
        for axis in (0, 1):
            padded = shape[2 + axis] + pads[axis] + pads[axis + 2]
            room = padded - dilations[axis] * (kernel[axis] - 1) - 1
            require(room >= 0, f"(C3) the window {kernel} is larger than the padded input of {self.name}")
            sizes.append(room // strides[axis] + 1)
        return tuple(sizes)


@irdl_op_definition
class Conv2dOp(WindowOp):
    """
    A two-dimensional convolution of (n, c, h, w) with weights (m, c / groups, kh, kw), and a bias (m) if given.

        %y = "nn.conv2d"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
             dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x4x4xf32>, ...) -> tensor<1x16x4x4xf32>

    (C1) Input and weights have rank 4, and operands one element type.
    (C2) Strides and dilations are two numbers of at least 1, pads four of at least 0.
    (C3) The dilated window fits into the padded input.
    (C4) `groups` divides c and m, and the weights have c / groups input channels.
    (C5) The bias has shape (m).
    """

    name = "nn.conv2d"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {
        "strides": (1, 1),
        "pads": (0, 0, 0, 0),
        "dilations": (1, 1),
        "groups": 1,
    }
    x = operand_def()
    w = operand_def()
    bias = opt_operand_def()
    dilations = attr_def(DenseArrayBase)
    groups = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        same_element_type(self)
        weights, groups = shape_of(self.w), integer(self.groups)
        require(len(weights) == 4, f"(C1) the weights have rank {len(weights)}, must be 4")
        size = self.slide(weights[2:], ints(self.dilations))
        batch, channels = shape_of(self.x)[:2]
        filters = weights[0]
        divides = groups >= 1 and channels % groups == 0 and filters % groups == 0
        require(
            divides and weights[1] * groups == channels,
            f"(C4) {groups} groups, {channels} channels and weights {weights} do not agree",
        )
        if self.bias is not None:
            require(shape_of(self.bias) == (filters,), f"(C5) the bias must have shape ({filters})")
        return with_shape(self.x, (batch, filters, *size))

    def with_weights(self, w: SSAValue, bias: SSAValue | None) -> Conv2dOp:
        """A new op: the same window over the same input, with other weights."""
        window = {"strides": self.strides, "pads": self.pads, "dilations": self.dilations, "groups": self.groups}
        return Conv2dOp.make(self.x, w, bias, at=self, **window)


class PoolOp(WindowOp):
    """A window reduced to one number."""

    x = operand_def()
    kernel = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        size = self.slide(ints(self.kernel))
        pads, kernel = ints(self.pads), ints(self.kernel)
        small = all(pads[i] < kernel[i % 2] for i in range(4))
        require(small, f"(C4) pads {pads} reach past the window {kernel}")
        return with_shape(self.x, (*shape_of(self.x)[:2], *size))


@irdl_op_definition
class MaxPoolOp(PoolOp):
    """
    The largest element of each window; padding never wins.

        %y = "nn.max_pool"(%x) {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>,
             pads = array<i64: 1, 1, 1, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32>

    (C1) The input has rank 4. (C2) Kernel and strides are two numbers of at least 1, pads four of at least 0.
    (C3) The window fits into the padded input. (C4) Pads are smaller than the kernel.
    """

    name = "nn.max_pool"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"strides": (1, 1), "pads": (0, 0, 0, 0)}


@irdl_op_definition
class AveragePoolOp(PoolOp):
    """
    The mean of each window, over the padding too if `count_pads` is 1.

        %y = "nn.average_pool"(%x) {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
             pads = array<i64: 0, 0, 0, 0>, count_pads = 0 : i64} : (tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32>

    (C1) The input has rank 4. (C2) Kernel and strides are two numbers of at least 1, pads four of at least 0.
    (C3) The window fits into the padded input. (C4) Pads are smaller than the kernel.
    """

    name = "nn.average_pool"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"strides": (1, 1), "pads": (0, 0, 0, 0), "count_pads": 0}
    count_pads = attr_def(IntegerAttr)


OPS = (Conv2dOp, MaxPoolOp, AveragePoolOp)
