"""Numbers of few bits and back."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import Float8E5M2Type, IntegerType

from .. import nn
from ..nn.elements import integer_range
from .meaning import Array, Meanings

FP8_OF = {True: (2, -14, 57344.0), False: (3, -6, 448.0)}
"""Whether E5M2 (else E4M3FN) -> bits of mantissa, exponent of the least normal number, largest number
(Micikevicius et al. 2022, arXiv:2209.05433, table 1)"""


def _quantise(op: nn.QuantiseOp, x: Array, scale: Array, zero: Array | None = None) -> Array:
    scaled, kind = x / _spread(op, scale, x.shape), op.type.element_type
    if not isinstance(kind, IntegerType):
        return round_to_fp8(scaled, isinstance(kind, Float8E5M2Type))
    least, largest = integer_range(kind)
    if op.zero is None or zero is None:
        whole = np.rint(scaled)
    elif nn.is_float(nn.tensor_type(op.zero).element_type):
        whole = np.rint(scaled + _spread(op, zero, x.shape))
    else:
        whole = np.rint(scaled) + _spread(op, zero, x.shape)
    return np.clip(whole, least, largest)


def _dequantise(op: nn.DequantiseOp, q: Array, scale: Array, zero: Array | None = None) -> Array:
    shift = 0.0 if zero is None else _spread(op, zero, q.shape)
    return (q - shift) * _spread(op, scale, q.shape)


def _spread(op: nn.QuantiseOp | nn.DequantiseOp, of_block: Array, shape: nn.Shape) -> Array:
    """What each block has, for each of its elements; axes with one block stay of size 1."""
    for axis, (size, neighbours) in enumerate(zip(shape, nn.ints(op.block), strict=True)):
        if neighbours > 1:
            of_block = of_block.repeat(neighbours, axis=axis).take(range(size), axis=axis)
    return of_block


def round_to_fp8(x: Array, e5m2: bool) -> Array:
    """The nearest fp8 number, of two equally near the even one; the largest where `x` is beyond."""
    mantissa, least, largest = FP8_OF[e5m2]
    _, exponent = np.frexp(x)  # x = f 2^exponent with f in [1/2, 1)
    step = np.exp2(np.maximum(exponent - 1, least) - mantissa)
    return np.clip(np.rint(x / step) * step, -largest, largest)


MEANING: Meanings = {nn.QuantiseOp: _quantise, nn.DequantiseOp: _dequantise}
