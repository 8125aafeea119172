"""Launches `elementwise` for operands of any strides."""

# Triton's own type of a kernel knows no launch options:
# pyright: reportCallIssue=false

from collections.abc import Sequence
from math import prod
from typing import Any

import triton

from .elementwise import elementwise
from .tensors import Tensor, axis_terms, broadcast_strides, is_empty, reach, require


def pointwise(
    operands: Sequence[Tensor], out: Tensor, chain: Any, *, floats: bool = True, block: int, num_warps: int
) -> None:
    """
    out = chain(*operands), element by element; `chain` is a jitted function of as many values.

        reference: chain(*operands) with numpy's broadcasting, in float64

    Arithmetic is in float32 if `floats`, else in the types of the operands. Operands broadcast to the shape of `out`,
    which is contiguous. ValueError where offsets need more than 32 bits.
    """
    shape = tuple(out.size())
    views = tuple(axis_terms(shape, broadcast_strides(operand, shape)) for operand in operands)
    if is_empty(out):
        return
    size = prod(shape)
    require(max(size + block, *map(reach, operands)) < 2**31, f"32-bit offsets do not reach all of {shape}")
    elementwise[(triton.cdiv(size, block),)](
        tuple(operands), out, SIZE=size, CHAIN=chain, VIEWS=views, BLOCK=block, FLOATS=floats, num_warps=num_warps
    )
