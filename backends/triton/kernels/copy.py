"""Copies between layouts and element types: transpositions, joints of tensors, casts."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

from math import prod

import triton
import triton.language as tl

from .elementwise import broadcast_offset
from .tensors import (
    Tensor,
    axis_terms,
    broadcast_strides,
    integer_range,
    is_empty,
    reach,
    require,
)


@triton.jit
def whole(x, KIND: tl.constexpr, LOW: tl.constexpr, HIGH: tl.constexpr):
    """Floats as integers of KIND, LOW to HIGH, without the fraction: the nearest in range, and NaN as 0."""
    wide = x.to(tl.float32)
    inside = (wide > LOW - 1.0) & (wide < HIGH + 1.0)
    integers = tl.where(inside, wide, 0.0).to(KIND)
    least = tl.full(x.shape, LOW, KIND)
    greatest = tl.full(x.shape, HIGH, KIND)
    return tl.where(wide >= HIGH + 1.0, greatest, tl.where(wide <= LOW - 1.0, least, integers))


@triton.jit
def copy_kernel(
    x, out, SIZE: tl.constexpr, VIEWS: tl.constexpr, WIDE: tl.constexpr, LIMITS: tl.constexpr, BLOCK: tl.constexpr
):
    """
    One program copies BLOCK of SIZE elements; VIEWS are the terms of x and of out. WIDE: offsets of 64 bits.

    LIMITS are the least and the greatest integer of `out` where x is of floats, else None.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    if WIDE:
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        inside = at < SIZE
    value = tl.load(x + broadcast_offset(at, SIZE, VIEWS, 0), mask=inside)
    if LIMITS is not None:
        value = whole(value, out.dtype.element_ty, LIMITS[0], LIMITS[1])
    else:
        value = value.to(out.dtype.element_ty)
    tl.store(out + broadcast_offset(at, SIZE, VIEWS, 1), value, mask=inside)


def copy(x: Tensor, out: Tensor, *, block: int, num_warps: int) -> None:
    """
    out[...] = x, which broadcasts to it, in the element type of `out`.

        reference: out[...] = numpy.broadcast_to(x, out.shape).astype(out.dtype)

    A float that is no integer of `out` becomes the nearest one, and not-a-number 0. Both of any strides; elements of
    `out` do not overlap.
    """
    if is_empty(out):
        return
    shape, strides = tuple(out.size()), tuple(out.stride())
    require(all(s == 1 or step != 0 for s, step in zip(shape, strides, strict=True)), "elements of out overlap")
    views = axis_terms(shape, broadcast_strides(x, shape)), axis_terms(shape, strides)
    size = prod(shape)
    wide = max(reach(x), reach(out), size + block) >= 2**31
    limits = integer_range(out) if integer_range(x) is None else None
    copy_kernel[(triton.cdiv(size, block),)](
        x, out, SIZE=size, VIEWS=views, WIDE=wide, LIMITS=limits, BLOCK=block, num_warps=num_warps
    )
