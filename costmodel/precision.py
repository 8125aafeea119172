"""Precisions by name, and what an element takes in each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BYTES_PER_ELEMENT: Mapping[str, float] = MappingProxyType(
    {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5}
)


SCALE_BYTES_PER_WEIGHT = 1 / 32
"""what the scales of 4-bit weights take besides: a byte for each 32 (OCP Microscaling Formats 1.0, MXFP4)"""


def bytes_per_weight(precision: str) -> float:
    """[bytes] of one stored weight with its share of the scales; ValueError for a precision that is not known."""
    size = bytes_per_element(precision)
    return size + SCALE_BYTES_PER_WEIGHT if size < 1 else size


def bytes_per_element(precision: str) -> float:
    """[bytes] of one element; ValueError for a precision that is not known."""
    if precision not in BYTES_PER_ELEMENT:
        known = ", ".join(BYTES_PER_ELEMENT)
        raise ValueError(f"`{precision}` is no precision; known are {known}")
    return BYTES_PER_ELEMENT[precision]
