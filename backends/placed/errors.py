"""Errors of an array beside what it should be, and how large they may be in each precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np

from ...ir.nn import Tensor, is_float
from ..dtypes import dtype_of, numpy_dtype

NAMES: Mapping[str, str] = {
    "f32": "fp32", "f64": "fp32", "f16": "fp16", "bf16": "bf16", "f8E4M3FN": "fp8",
    **{f"i{bits}": f"int{bits}" for bits in range(2, 9)},
}  # fmt: skip
"""Element type -> its name as a precision"""
TOLERANCE: Mapping[str, float] = {
    "fp32": 1e-5, "fp16": 1e-2, "bf16": 1e-2, "int8": 5e-2, "int7": 1e-1, "int6": 1.5e-1, "fp8": 2e-1, "int5": 3e-1,
    "int4": 5e-1, "int3": 1.0, "int2": 2.0,
}  # fmt: skip
"""Precision, the narrowest last -> largest error beside the largest element; of weights in few bits by
what random networks of a few layers showed (docs/numerics.md); trained ones are to be judged by their task"""
UNIT: Mapping[str, float] = {
    "fp32": 2.0**-24, "fp16": 2.0**-11, "bf16": 2.0**-8, "fp8": 2.0**-4,
    **{f"int{bits}": 0.5 / (2 ** (bits - 1) - 1) for bits in range(2, 9)},
}  # fmt: skip
"""Precision -> largest error of one rounding, beside the number; of integers beside the largest of the group"""


@dataclass(frozen=True)
class Errors:
    """Of one array."""

    absolute: float
    """the largest, where both are finite"""
    relative: float
    """that beside the largest finite element of what it should be; 0 where there is no error"""
    snr_db: float
    """10 log10 of the sum of squares of what it should be over that of the errors; infinite where there is none"""
    alike: bool
    """NaN and the infinities stand at the same places"""

    def within(self, tolerance: float) -> bool:
        """Whether it is as near as that, and not finite where it should be, and there alone."""
        return self.alike and self.relative <= tolerance

    def document(self) -> dict[str, Any]:
        """For verify.json; an infinite ratio is null there."""
        return {
            "absolute_error": self.absolute,
            "relative_error": None if self.relative == inf else self.relative,
            "snr_db": None if self.snr_db in (inf, -inf) else self.snr_db,
            "nonfinite_alike": self.alike,
        }


def errors_of(found: np.ndarray, wanted: np.ndarray) -> Errors:
    """Of `found` beside `wanted`, in float64 or of integers; ValueError where they differ in shape."""
    if np.shape(found) != np.shape(wanted):
        raise ValueError(f"an output has the shape {np.shape(found)}, must have {np.shape(wanted)}")
    a, b = np.asarray(found).astype(np.float64), np.asarray(wanted, dtype=np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    alike = bool(np.array_equal(a[~finite], b[~finite], equal_nan=True))
    off, size = np.abs(a[finite] - b[finite]), np.abs(b[finite])
    if np.asarray(found).dtype.kind in "iu" and np.asarray(wanted).dtype.kind in "iu":
        differ = np.asarray(found) != np.asarray(wanted)
        off = np.where(differ, np.maximum(off.reshape(differ.shape), 1.0), 0.0)  # also where float64 holds both as one
    most, largest = float(off.max(initial=0.0)), float(size.max(initial=0.0))
    if most == 0.0:
        return Errors(0.0, 0.0, inf, alike)
    if largest == 0.0:
        return Errors(most, inf, -inf, alike)
    # Scaled, so that squares of very small numbers do not vanish.
    signal, noise = float(np.sum((size / largest) ** 2)), float(np.sum((off / most) ** 2))
    snr_db = 10 * log10(signal / noise) + 20 * log10(largest / most)
    return Errors(most, most / largest, snr_db, alike)


def rounded(type: Tensor, values: np.ndarray) -> np.ndarray:
    """`values` as a tensor of that type holds them, in float64; integers as they are."""
    if not is_float(type.element_type):
        return values
    with np.errstate(over="ignore"):  # beyond the largest number is infinite
        return np.asarray(values).astype(numpy_dtype(dtype_of(type))).astype(np.float64)


def narrowest(kinds: Iterable[str]) -> str:
    """The narrowest precision of element types or precisions; fp32 where none of them is a float."""
    order = list(TOLERANCE)
    known = [NAMES.get(kind, kind) for kind in kinds]
    return max((kind for kind in known if kind in order), key=order.index, default="fp32")
