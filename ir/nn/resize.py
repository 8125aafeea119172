"""Resizing by interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, StringAttr
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, opt_attr_def, result_def

from .base import AttributeLike, Tensor, TensorOp, ints, numbers, require, shape_of, tensor_type, with_shape
from .elements import is_float, is_number
from .shapes import require_rising

RESIZE_MODES = ("nearest", "linear", "cubic")
COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@irdl_op_definition
class ResizeOp(TensorOp):
    """
    The input interpolated to `sizes` along `axes`, as ONNX's Resize without antialiasing.

        %y = "nn.resize"(%x) {axes = array<i64: 2, 3>, sizes = array<i64: 8, 8>, mode = "linear",
             coordinates = "half_pixel", rounding = "round_prefer_floor", cubic = -7.5e-01 : f64}
             : (tensor<1x3x4x4xf32>) -> tensor<1x3x8x8xf32>

    `coordinates` says where in the input element i of the result lies, for an axis that grows from n to m by the
    scale s, m / n unless `scales` are given: half_pixel (i + 1/2) / s - 1/2; half_pixel_symmetric the same, with the
    middle of the input kept where m is not n s; pytorch_half_pixel the same as half_pixel but 0 where m is 1;
    asymmetric i / s; align_corners i (n - 1) / (m - 1), 0 where m is 1. `rounding` is for the mode nearest, the
    coefficient `cubic` for that mode (Keys 1981, a). Elements outside the input are those at its edge.

    (C1) `axes` rise strictly within the rank of the input. (C2) Each of them has one of `sizes`, at least 1, and one
    of `scales`, above 0, where these are given; none is empty in the input.
    (C3) `mode`, `coordinates` and `rounding` are known. (C4) The input is of floats, or of numbers for nearest.
    """

    name = "nn.resize"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {
        "mode": "nearest",
        "coordinates": "half_pixel",
        "rounding": "round_prefer_floor",
        "cubic": -0.75,
    }
    x = operand_def()
    axes = attr_def(DenseArrayBase)
    sizes = attr_def(DenseArrayBase)
    scales = opt_attr_def(DenseArrayBase)
    mode = attr_def(StringAttr)
    coordinates = attr_def(StringAttr)
    rounding = attr_def(StringAttr)
    cubic = attr_def(FloatAttr)
    result = result_def()

    def factors(self) -> tuple[float, ...]:
        """By what each of `axes` grows in the formula of the coordinates."""
        if self.scales is not None:
            return numbers(self.scales)
        shape = shape_of(self.x)
        return tuple(m / shape[a] for a, m in zip(ints(self.axes), ints(self.sizes), strict=True))

    def infer(self) -> Tensor:
        shape, axes, sizes = shape_of(self.x), ints(self.axes), ints(self.sizes)
        require_rising(axes, self.x, 1)
        scales = (1.0,) * len(axes) if self.scales is None else numbers(self.scales)
        fits = len(sizes) == len(axes) == len(scales) and min(sizes, default=1) >= 1 and min(scales, default=1) > 0
        require(fits and all(shape[a] >= 1 for a in axes), f"(C2) sizes {sizes} and scales {scales} for {shape}")
        mode, coordinates, rounding = self.mode.data, self.coordinates.data, self.rounding.data
        known = mode in RESIZE_MODES and coordinates in COORDINATES and rounding in ROUNDINGS
        require(known, f"(C3) {mode}, {coordinates} or {rounding} is not known")
        element = tensor_type(self.x).element_type
        fine = is_number(element) if mode == "nearest" else is_float(element)
        require(fine, f"(C4) a resize of {element} in the mode {mode}")
        resized = dict(zip(axes, sizes, strict=True))
        return with_shape(self.x, [resized.get(i, size) for i, size in enumerate(shape)])


OPS = (ResizeOp,)
