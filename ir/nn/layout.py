"""Ops that make, name or rearrange tensors and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, prod
from typing import Any, ClassVar

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute
from xdsl.irdl import (
    attr_def,
    irdl_op_definition,
    operand_def,
    opt_attr_def,
    opt_operand_def,
    result_def,
    var_operand_def,
    var_result_def,
)

from .base import (
    AttributeLike,
    Tensor,
    TensorOp,
    ints,
    number,
    require,
    same_element_type,
    shape_in,
    shape_of,
    tensor_type,
    with_shape,
)
from .elements import integer_range, is_integer
from .shapes import axis_of, broadcasts_to, replaced, require_rising

END = 2**63 - 1
"""A limit of a slice: the size of the axis, known or not."""

PAD_MODES = ("constant", "edge", "reflect", "wrap")


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

    (C1) The value is one of the element type: of integers a whole one in range.
    """

    name = "nn.fill"
    value = attr_def(FloatAttr)
    result = result_def()

    def infer(self) -> Tensor:
        element, value = self.type.element_type, number(self.value)
        require(filling(element, value) is not None, f"(C1) {value} is no element of {element}")
        return self.type


def filling(element: Attribute, value: Any) -> float | None:
    """`value` as a fill of `element` says it; None where it cannot: few integers beyond 2^53 are float64s."""
    said = float(value)
    if not is_integer(element):
        return said
    low, high = integer_range(element)
    exact = isfinite(said) and said == int(said) == int(value) and low <= int(said) <= high
    return said if exact else None


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
        shapes, axis = [shape_of(o) for o in self.operands], axis_of(self.axis, self.operands[0], 2)
        rest = {s[:axis] + s[axis + 1 :] for s in shapes}
        require(len(rest) == 1, f"(C3) shapes {shapes} differ outside axis {axis}")
        return with_shape(self.operands[0], replaced(shapes[0], axis, sum(s[axis] for s in shapes)))


@irdl_op_definition
class SliceOp(TensorOp):
    """
    Every `steps`-th element from `starts` to `limits` (exclusive) along each axis; without steps, every one.

        %y = "nn.slice"(%x) {starts = array<i64: 0, 2>, limits = array<i64: 1, 6>} : (...) -> tensor<1x4xf32>

    A limit of END (2^63 - 1) is the size of the axis, also where that is open.

    (C1) Each axis has a start and a limit with 0 <= start <= limit <= size.
    (C2) Where there are steps, each axis has one of at least 1.
    """

    name = "nn.slice"
    x = operand_def()
    starts = attr_def(DenseArrayBase)
    limits = attr_def(DenseArrayBase)
    steps = opt_attr_def(DenseArrayBase)
    result = result_def()

    def bounds(self) -> list[tuple[int, int, int]]:
        """(start, limit, step) of each axis, with the size of the axis in place of END."""
        shape, starts, limits = shape_of(self.x), ints(self.starts), ints(self.limits)
        steps = (1,) * len(shape) if self.steps is None else ints(self.steps)
        require(len(starts) == len(limits) == len(shape), f"(C1) {starts} to {limits} for a tensor of shape {shape}")
        require(len(steps) == len(shape) and min(steps, default=1) >= 1, f"(C2) steps {steps} for a tensor {shape}")
        limits = [size if limit == END else limit for limit, size in zip(limits, shape, strict=True)]
        for start, limit, size in zip(starts, limits, shape, strict=True):
            inside = 0 <= start <= limit and (limit is size or limit <= size)
            require(inside, f"(C1) the slice {starts} to {limits} is not inside {shape}")
        return list(zip(starts, limits, steps, strict=True))

    def infer(self) -> Tensor:
        return with_shape(self.x, [(limit - start + step - 1) // step for start, limit, step in self.bounds()])


@irdl_op_definition
class SplitOp(TensorOp):
    """
    The input cut along `axis` into pieces of `sizes`, in order.

        %a, %b = "nn.split"(%x) {axis = 1 : i64, sizes = array<i64: 4, 2>} : (tensor<1x6xf32>)
             -> (tensor<1x4xf32>, tensor<1x2xf32>)

    (C1) 0 <= axis < rank. (C2) There is a piece, none has a negative size, and together they are the axis.
    """

    name = "nn.split"
    x = operand_def()
    axis = attr_def(IntegerAttr)
    sizes = attr_def(DenseArrayBase)
    pieces = var_result_def()

    def infer(self) -> tuple[Tensor, ...]:
        axis, shape, sizes = axis_of(self.axis, self.x, 1), shape_of(self.x), ints(self.sizes)
        whole = len(sizes) > 0 and min(sizes) >= 0 and sum(sizes) == shape[axis]
        require(whole, f"(C2) pieces {sizes} are not the whole of axis {axis} of {shape}")
        return tuple(with_shape(self.x, replaced(shape, axis, size)) for size in sizes)


@irdl_op_definition
class ReverseOp(TensorOp):
    """
    The elements in reverse order along each of `axes`.

        %y = "nn.reverse"(%x) {axes = array<i64: 1>} : (tensor<2x8xf32>) -> tensor<2x8xf32>

    (C1) `axes` rise strictly within the rank of the input.
    """

    name = "nn.reverse"
    x = operand_def()
    axes = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        require_rising(ints(self.axes), self.x, 1)
        return tensor_type(self.x)


@irdl_op_definition
class PadOp(TensorOp):
    """
    `low` more elements before and `high` after the input along each axis.

        %y = "nn.pad"(%x, %zero) {low = array<i64: 0, 1>, high = array<i64: 0, 2>, mode = "constant"}
             : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x7xf32>

    What they are: constant, the value given; edge, the nearest element of the input; reflect, the input mirrored at
    its outermost element, which is not repeated; wrap, the input as if it were repeated.

    (C1) `mode` is constant, edge, reflect or wrap. (C2) Each axis has a low and a high of at least 0.
    (C3) The value is a scalar of the element type of the input, and is given for the mode constant alone.
    (C4) Padded axes are larger than each pad for reflect, as large for wrap, and not empty for edge.
    """

    name = "nn.pad"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"mode": "constant"}
    x = operand_def()
    value = opt_operand_def()
    low = attr_def(DenseArrayBase)
    high = attr_def(DenseArrayBase)
    mode = attr_def(StringAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, low, high, mode = shape_of(self.x), ints(self.low), ints(self.high), self.mode.data
        require(mode in PAD_MODES, f"(C1) `{mode}` is no way to pad")
        fits = len(low) == len(high) == len(shape) and min((*low, *high), default=0) >= 0
        require(fits, f"(C2) pads {low} and {high} for a tensor of shape {shape}")
        require((self.value is None) == (mode != "constant"), f"(C3) the mode {mode} with or without its value")
        scalar = with_shape(self.x, ())
        require(self.value is None or self.value.type == scalar, f"(C3) the value must be {scalar}")
        least = {"reflect": 1, "wrap": 0, "edge": None}
        for size, before, after in zip(shape, low, high, strict=True):
            if mode != "constant" and (before or after):
                more = least[mode]
                wanted = 1 if more is None else max(before, after) + more
                require(size >= wanted, f"(C4) {shape} is too small for pads {low} and {high} in the mode {mode}")
        return with_shape(self.x, [b + size + a for b, size, a in zip(low, shape, high, strict=True)])


OPS = (WeightOp, FillOp, ReshapeOp, BroadcastOp, TransposeOp, ConcatOp, SliceOp, SplitOp, ReverseOp, PadOp)
