"""Convolution and pooling over one, two or three dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    tensor_type,
    with_shape,
)
from .elements import is_float, is_number


class WindowOp(TensorOp):
    """
    A window that slides over the axes after the first two of operand 0: (n, c, w), (n, c, h, w) or (n, c, d, h, w).

    Pads are those before each axis, then those after: (top, left, bottom, right).
    """

    # The operand itself is declared by each op: xDSL puts operands of a base class after those of the op.
    strides = attr_def(DenseArrayBase)
    pads = attr_def(DenseArrayBase)
    dilations = attr_def(DenseArrayBase)

    @classmethod
    def defaults(cls, operands: Sequence[SSAValue]) -> Mapping[str, AttributeLike]:
        """Strides and dilations are 1 and pads 0."""
        rank = _rank(operands)
        return {"strides": (1,) * rank, "pads": (0,) * (2 * rank), "dilations": (1,) * rank, **cls.DEFAULTS}

    def window(self, kernel: Shape) -> tuple[Shape, Shape, Shape, Shape]:
        """(size of operand 0, strides, dilations, pads) of the axes that a window of size `kernel` slides over."""
        size = shape_of(self.operands[0])[2:]
        strides, dilations, pads = ints(self.strides), ints(self.dilations), ints(self.pads)
        require(1 <= len(size) <= 3, f"(C1) the input of {self.name} has rank {len(size) + 2}, must be 3, 4 or 5")
        fits = len(strides) == len(dilations) == len(kernel) == len(size) and len(pads) == 2 * len(size)
        require(
            fits and min(*strides, *dilations, *kernel) >= 1 and min(pads) >= 0,
            f"(C2) the window {kernel} of {self.name} has strides {strides}, dilations {dilations}, pads {pads}",
        )
        return size, strides, dilations, pads

    def slide(self, kernel: Shape) -> Shape:
        """The output's size along the axes that a window of size `kernel` slides over."""
        size, strides, dilations, pads = self.window(kernel)
        sizes = []
        for axis, length in enumerate(size):
            room = length + pads[axis] + pads[axis + len(size)] - dilations[axis] * (kernel[axis] - 1) - 1
            require(room >= 0, f"(C3) the window {kernel} is larger than the padded input of {self.name}")
            sizes.append(room // strides[axis] + 1)
        return tuple(sizes)


def _rank(operands: Sequence[SSAValue]) -> int:
    """The number of axes that a window over the first of `operands` slides over."""
    return max(tensor_type(operands[0]).get_num_dims() - 2, 0)


@irdl_op_definition
class ConvOp(WindowOp):
    """
    A convolution of (n, c, ...) with weights (m, c / groups, ...) over 1 to 3 dimensions, and a bias (m) if given.

        %y = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
             dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x4x4xf32>, ...) -> tensor<1x16x4x4xf32>

    (C1) Input and weights have one rank, 3 to 5, and operands one element type, of numbers.
    (C2) Each axis has a stride and a dilation of at least 1, and two pads of at least 0.
    (C3) The dilated window fits into the padded input.
    (C4) `groups` divides c and m, and the weights have c / groups input channels.
    (C5) The bias has shape (m).
    """

    name = "nn.conv"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"groups": 1}
    x = operand_def()
    w = operand_def()
    bias = opt_operand_def()
    groups = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        _numbers(self)
        weights, groups = shape_of(self.w), integer(self.groups)
        size = self.slide(weights[2:])
        batch, channels = shape_of(self.x)[:2]
        filters = weights[0]
        divides = groups >= 1 and channels % groups == 0 and filters % groups == 0
        require(
            divides and weights[1] * groups == channels,
            f"(C4) {groups} groups, {channels} channels and weights {weights} do not agree",
        )
        _bias(self.bias, filters)
        return with_shape(self.x, (batch, filters, *size))

    def with_weights(self, w: SSAValue, bias: SSAValue | None) -> ConvOp:
        """A new op: the same window over the same input, with other weights."""
        window = {"strides": self.strides, "pads": self.pads, "dilations": self.dilations, "groups": self.groups}
        return ConvOp.make(self.x, w, bias, at=self, **window)


@irdl_op_definition
class ConvTransposeOp(WindowOp):
    """
    The transpose of the convolution that takes (n, m, ...) to (n, c, ...), with weights (c, m / groups, ...).

        %y = "nn.conv_transpose"(%x, %w) {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>,
             dilations = array<i64: 1, 1>, output_pads = array<i64: 0, 0>, groups = 1 : i64}
             : (tensor<1x8x4x4xf32>, tensor<8x16x2x2xf32>) -> tensor<1x16x8x8xf32>

    Each element adds its multiple of the window to the result, `strides` apart; `pads` are cut off, `output_pads`
    more elements stand at the end of each axis.

    (C1) Input and weights have one rank, 3 to 5, and operands one element type, of numbers.
    (C2) Each axis has a stride and a dilation of at least 1, two pads of at least 0, and an output pad of at least
    0 that is smaller than the stride or the dilation.
    (C3) The pads leave something of the result.
    (C4) `groups` divides c, and the weights have c input channels.
    (C5) The bias has shape (m).
    """

    name = "nn.conv_transpose"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"groups": 1}
    x = operand_def()
    w = operand_def()
    bias = opt_operand_def()
    output_pads = attr_def(DenseArrayBase)
    groups = attr_def(IntegerAttr)
    result = result_def()

    @classmethod
    def defaults(cls, operands: Sequence[SSAValue]) -> Mapping[str, AttributeLike]:
        """Output pads are 0 too."""
        return {**super().defaults(operands), "output_pads": (0,) * _rank(operands)}

    def infer(self) -> Tensor:
        _numbers(self)
        weights, groups = shape_of(self.w), integer(self.groups)
        size, strides, dilations, pads = self.window(weights[2:])
        extra = ints(self.output_pads)
        small = len(extra) == len(size) and all(
            0 <= e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)
        )
        require(small, f"(C2) output pads {extra} do not fit strides {strides} and dilations {dilations}")
        sizes = []
        for axis, length in enumerate(size):
            whole = (length - 1) * strides[axis] + dilations[axis] * (weights[2 + axis] - 1) + 1 + extra[axis]
            sizes.append(whole - pads[axis] - pads[axis + len(size)])
            require(sizes[-1] >= 1, f"(C3) pads {pads} leave nothing of axis {axis + 2}")
        batch, channels = shape_of(self.x)[:2]
        divides = groups >= 1 and weights[0] == channels and channels % groups == 0
        require(divides, f"(C4) {groups} groups, {channels} channels and weights {weights} do not agree")
        filters = weights[1] * groups
        _bias(self.bias, filters)
        return with_shape(self.x, (batch, filters, *sizes))


def _numbers(op: ConvOp | ConvTransposeOp) -> None:
    same_element_type(op)
    x, w = tensor_type(op.x), shape_of(op.w)
    require(is_number(x.element_type), f"(C1) {op.name} is of numbers, not of {x.element_type}")
    require(x.get_num_dims() == len(w), f"(C1) weights {w} for an input of rank {x.get_num_dims()}")


def _bias(bias: SSAValue | None, filters: int) -> None:
    require(bias is None or shape_of(bias) == (filters,), f"(C5) the bias must have shape ({filters})")


class PoolOp(WindowOp):
    """A window reduced to one number."""

    x = operand_def()
    kernel = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        kernel = ints(self.kernel)
        size, pads = self.slide(kernel), ints(self.pads)
        small = all(pad < kernel[i % len(kernel)] for i, pad in enumerate(pads))
        require(small, f"(C4) pads {pads} reach past the window {kernel}")
        return with_shape(self.x, (*shape_of(self.x)[:2], *size))


@irdl_op_definition
class MaxPoolOp(PoolOp):
    """
    The largest element of each window; padding never wins.

        %y = "nn.max_pool"(%x) {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
             dilations = array<i64: 1, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32>

    (C1) The input has rank 3, 4 or 5, of numbers.
    (C2) Each axis has a kernel, a stride and a dilation of at least 1, and two pads of at least 0.
    (C3) The dilated window fits into the padded input. (C4) Pads are smaller than the kernel.
    """

    name = "nn.max_pool"

    def infer(self) -> Tensor:
        element = tensor_type(self.x).element_type
        require(is_number(element), f"(C1) {self.name} is of numbers, not of {element}")
        return super().infer()


@irdl_op_definition
class AveragePoolOp(PoolOp):
    """
    The mean of each window, over the padding too if `count_pads` is 1.

        %y = "nn.average_pool"(%x) {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
             pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, count_pads = 0 : i64}
             : (tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32>

    (C1) The input has rank 3, 4 or 5, of floats.
    (C2) Each axis has a kernel, a stride and a dilation of at least 1, and two pads of at least 0.
    (C3) The dilated window fits into the padded input. (C4) Pads are smaller than the kernel.
    """

    name = "nn.average_pool"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"count_pads": 0}
    count_pads = attr_def(IntegerAttr)

    def infer(self) -> Tensor:
        element = tensor_type(self.x).element_type
        require(is_float(element), f"(C1) {self.name} is of floats, not of {element}")
        return super().infer()


OPS = (ConvOp, ConvTransposeOp, MaxPoolOp, AveragePoolOp)
