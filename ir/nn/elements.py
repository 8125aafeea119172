"""
The element types of nn tensors: f64, f32, f16, bf16, f8E4M3FN, f8E5M2, and integers of 1 to 64 bits.

Integers are two's complement unless their type says unsigned (`ui8`); i1 is a truth value, 0 or 1.
"""

from __future__ import annotations

from math import inf, nan

from xdsl.dialects.builtin import (
    BFloat16Type,
    FixedBitwidthType,
    Float8E4M3FNType,
    Float8E5M2Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
)
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

FLOATS = (Float64Type, Float32Type, Float16Type, BFloat16Type, Float8E4M3FNType, Float8E5M2Type)


def is_float(element: Attribute) -> bool:
    """Whether `element` is one of the floating-point types."""
    return isinstance(element, FLOATS)


def is_integer(element: Attribute) -> bool:
    """Whether `element` is an integer of 1 to 64 bits; i1 is one too."""
    return isinstance(element, IntegerType) and 1 <= element.bitwidth <= 64


def is_truth(element: Attribute) -> bool:
    """Whether `element` is i1."""
    return is_integer(element) and bits_of(element) == 1


def is_number(element: Attribute) -> bool:
    """Whether arithmetic may be done on `element`: a float, or an integer of 2 bits or more."""
    return is_float(element) or (is_integer(element) and not is_truth(element))


def bits_of(element: Attribute) -> int:
    """[bits] of one element; VerifyException for what has no fixed width."""
    if not isinstance(element, FixedBitwidthType):
        raise VerifyException(f"(C0) {element} has no fixed width")
    return element.bitwidth


def least_and_greatest(element: Attribute) -> tuple[float, float]:
    """The least and the greatest element that there is of the type `element`; infinite for floats."""
    return (-inf, inf) if is_float(element) else integer_range(element)


def outside_value(element: Attribute) -> float:
    """What is read of a tensor of `element` where it has no element: what is least likely to be taken for one."""
    if is_float(element):
        return nan
    low, high = integer_range(element)
    return low or high


def integer_range(element: Attribute) -> tuple[int, int]:
    """The least and the greatest value of the integer type `element`."""
    bits = bits_of(element)
    unsigned = bits == 1 or (isinstance(element, IntegerType) and element.signedness.data is Signedness.UNSIGNED)
    return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
