"""What several formats have as one operator, and nn as a few ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir import SSAValue

from .. import nn

Add = Callable[..., SSAValue]
"""(class of an op, operands, attributes by name) -> the result of that op, added to the network in the making"""


def tangent(add: Add, x: SSAValue) -> SSAValue:
    """sin x / cos x."""
    return add(nn.DivOp, add(nn.SinOp, x), add(nn.CosOp, x))


def hyperbolic(add: Add, x: SSAValue, both: type[nn.TensorOp]) -> SSAValue:
    """(e^x - e^-x) / 2, the sine, or with a sum the cosine."""
    powers = add(both, add(nn.ExpOp, x), add(nn.ExpOp, add(nn.NegOp, x)))
    half = add(nn.FillOp, type=nn.with_shape(x, ()), value=0.5)
    return add(nn.MulOp, powers, half)


def falling(add: Add, x: SSAValue) -> SSAValue:
    """What is the larger the smaller x is, and of which this makes x again: -x, of integers with all bits turned."""
    element = nn.tensor_type(x).element_type
    if nn.is_float(element):
        return add(nn.NegOp, x)
    if nn.is_truth(element):
        return add(nn.NotOp, x)
    low, high = nn.integer_range(element)
    if low < 0:  # the least integer has no negative
        ones = add(nn.FillOp, type=nn.with_shape(x, ()), value=-1.0)
        return add(nn.SubOp, ones, x)
    half = add(nn.FillOp, type=nn.with_shape(x, ()), value=float(high // 2 + 1))
    return add(nn.SubOp, add(nn.SubOp, half, add(nn.FillOp, type=half.type, value=1.0)), add(nn.SubOp, x, half))


def tile(add: Add, x: SSAValue, repeats: Sequence[int]) -> SSAValue:
    """`x` so many times along each axis: each gets one before it, which is broadcast."""
    shape = nn.shape_of(x)
    spread = _reshaped(add, x, [n for size in shape for n in (1, size)])
    wide = [n for size, times in zip(shape, repeats, strict=True) for n in (times, size)]
    repeated = add(nn.BroadcastOp, spread, type=nn.with_shape(x, wide))
    return _reshaped(add, repeated, [size * times for size, times in zip(shape, repeats, strict=True)])


def _reshaped(add: Add, x: SSAValue, shape: Sequence[int]) -> SSAValue:
    return x if nn.shape_of(x) == tuple(shape) else add(nn.ReshapeOp, x, type=nn.with_shape(x, shape))
