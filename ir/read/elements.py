"""numpy's names of element types, ml_dtypes' among them, and ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    IntegerType,
    Signedness,
    bf16,
    f8E4M3FN,
    f8E5M2,
    f16,
    f32,
    f64,
)
from xdsl.ir import Attribute

ELEMENT_TYPES: dict[str, Attribute] = {
    "float64": f64,
    "float32": f32,
    "float16": f16,
    "bfloat16": bf16,
    "float8_e4m3fn": f8E4M3FN,
    "float8_e5m2": f8E5M2,
    "bool": IntegerType(1),
    **{f"int{bits}": IntegerType(bits) for bits in (4, 8, 16, 32, 64)},
    **{f"uint{bits}": IntegerType(bits, Signedness.UNSIGNED) for bits in (4, 8, 16, 32, 64)},
}
"""numpy's name -> our element type; what is not here cannot be read."""


def element_type(dtype: Any) -> Attribute | None:
    """Our element type for a numpy dtype; None where there is none, as for a random key of JAX."""
    try:
        return ELEMENT_TYPES.get(np.dtype(dtype).name)
    except TypeError:
        return None


def has_integer_zero(divisor: np.ndarray) -> bool:
    """Whether a constant divides integers by 0 somewhere, of which no framework says what it gives."""
    return divisor.dtype.kind in "iuO" and bool(np.any(divisor == 0))
