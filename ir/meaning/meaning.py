"""What a meaning is, and how values are held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from xdsl.ir import Attribute, Operation

from ..nn.elements import integer_range, is_float, is_truth

Array = np.ndarray
Meaning = Callable[..., Any]
"""Called with the op and its operands as they are held; gives the result, or a tuple where there are several."""
Meanings = Mapping[type[Operation], Meaning]


def held(element: Attribute, values: Any) -> Array:
    """
    `values` as tensors of `element` are held: floats in float64, integers in int64, or uint64 where they need it.

    An integer out of range keeps its lowest bits, as in two's complement. A float becomes an integer without its
    fraction, the nearest one that there is, and not-a-number becomes 0; as a truth value it is 1 unless it is 0.
    """
    array = np.asarray(values)
    if is_float(element):
        return array.astype(np.float64, copy=False)
    if is_truth(element):
        return (array != 0).astype(np.int64)
    low, high = integer_range(element)
    kind = np.dtype(np.uint64 if high > np.iinfo(np.int64).max else np.int64)
    if array.dtype.kind not in "biu":
        return _without_fraction(array.astype(np.float64), low, high, kind)
    if array.dtype == kind and (array.size == 0 or (low <= int(array.min()) and int(array.max()) <= high)):
        return array
    array = array.astype(kind)
    if high - low >= 2**63:
        return array
    bits = kind.type(high - low)  # 2^n - 1
    return array & bits if low == 0 else ((array - kind.type(low)) & bits) + kind.type(low)


def _without_fraction(values: Array, low: int, high: int, kind: np.dtype) -> Array:
    """Bounds are powers of two, or less by one, which float64 does not hold of 64 bits: values stay below the power."""
    above, below = values >= float(high + 1), values < float(low)
    inside = np.where(np.isnan(values) | above | below, 0.0, values)
    return np.where(above, kind.type(high), np.where(below, kind.type(low), inside.astype(kind)))
