"""Triton frame for chains of elementwise operators: every operand is read once, the result written once."""

import triton
import triton.language as tl


@triton.jit
def broadcast_offset(at, VIEW: tl.constexpr):
    """
    Where an operand keeps the value that element `at` of the result needs.

    VIEW is a tuple of terms (inner, count, stride), one for each run of dimensions that the operand varies along:
    offset = sum(at // inner % count * stride). A scalar has no term.
    """
    offset = at * 0
    for term in tl.static_range(len(VIEW)):
        offset += at // VIEW[term][0] % VIEW[term][1] * VIEW[term][2]
    return offset


@triton.jit
def elementwise(operands, out, SIZE: tl.constexpr, CHAIN: tl.constexpr, VIEWS: tl.constexpr, BLOCK: tl.constexpr):
    """
    out[i] = CHAIN(operands[0][view 0 of i], operands[1][view 1 of i], ...) for i < SIZE.

    One program computes BLOCK consecutive elements. Arithmetic is in float32, whatever the tensors hold; all
    tensors are contiguous. SIZE stays below 2**31, since offsets are 32-bit.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    values = ()
    for k in tl.static_range(len(operands)):
        value = tl.load(operands[k] + broadcast_offset(at, VIEWS[k]), mask=inside)
        values = values + (value.to(tl.float32),)
    tl.store(out + at, CHAIN(*values), mask=inside)
