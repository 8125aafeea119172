"""Copies between layouts and element types: transpositions, joints of tensors, casts."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

from math import prod

import triton
import triton.language as tl

from .elementwise import broadcast_offset
from .tensors import Tensor, axis_terms, broadcast_strides, is_empty, reach, require


@triton.jit
def copy_kernel(x, out, SIZE: tl.constexpr, VIEWS: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr):
    """One program copies BLOCK of SIZE elements; VIEWS are the terms of x and of out. WIDE: offsets of 64 bits."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    if WIDE:
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        inside = at < SIZE
    value = tl.load(x + broadcast_offset(at, SIZE, VIEWS, 0), mask=inside)
    tl.store(out + broadcast_offset(at, SIZE, VIEWS, 1), value.to(out.dtype.element_ty), mask=inside)


def copy(x: Tensor, out: Tensor, *, block: int, num_warps: int) -> None:
    """
    out[...] = x, which broadcasts to it, in the element type of `out`.

        reference: out[...] = numpy.broadcast_to(x, out.shape).astype(out.dtype)

    Both of any strides; elements of `out` do not overlap.
    """
    shape, strides = tuple(out.size()), tuple(out.stride())
    require(all(s == 1 or step != 0 for s, step in zip(shape, strides, strict=True)), "elements of out overlap")
    views = axis_terms(shape, broadcast_strides(x, shape)), axis_terms(shape, strides)
    if is_empty(out):
        return
    size = prod(shape)
    wide = max(reach(x), reach(out), size + block) >= 2**31
    copy_kernel[(triton.cdiv(size, block),)](
        x, out, SIZE=size, VIEWS=views, WIDE=wide, BLOCK=block, num_warps=num_warps
    )
