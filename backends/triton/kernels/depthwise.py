"""
Convolution in which every filter sees one channel: each element is a sum of a few products.

A product of matrices, as in `conv.py`, would have one column of the 16 that tensor cores take. Memory sets the pace.
"""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from collections.abc import Sequence
from math import prod
from typing import Any

import triton
import triton.language as tl

from .products import identity
from .tensors import Tensor, broadcast_strides, is_empty, require, require_narrow
from .windows import lifted, operand_offset, require_window, window_offset


@triton.jit
def depthwise_kernel(
    x, w, out, operands, batches, filters,
    SIZE: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, PAD: tl.constexpr,
    OUT: tl.constexpr, REPEAT: tl.constexpr, STRIDES: tl.constexpr, EPILOGUE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program computes BLOCK elements of the output; REPEAT filters, one after another, see the same channel."""
    PIXELS: tl.constexpr = OUT[0] * OUT[1] * OUT[2]
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    plane = element // PIXELS
    place = (element % PIXELS).to(tl.int32)
    batch, filter = plane // filters, plane % filters
    exists = batch < batches
    # REPEAT divides the filters: planes of the input are those of the output by REPEAT.
    image = x + plane // REPEAT * (SIZE[0] * SIZE[1] * SIZE[2])
    weights = w + filter * (KERNEL[0] * KERNEL[1] * KERNEL[2])
    total = tl.zeros((BLOCK,), tl.float32)
    for k in range(KERNEL[0] * KERNEL[1] * KERNEL[2]):
        offset, inside = window_offset(place, k, SIZE, KERNEL, STRIDE, DILATION, PAD, OUT)
        value = tl.load(image + offset, mask=inside & exists, other=0.0).to(tl.float32)
        total += value * tl.load(weights + k, mask=exists, other=0.0).to(tl.float32)
    values = ()
    for i in tl.static_range(len(operands)):
        at = operands[i] + operand_offset(batch, filter, place, STRIDES[i], OUT)
        values = values + (tl.load(at, mask=exists).to(tl.float32),)  # Triton cannot unpack inside a tuple
    total = EPILOGUE(total, *values)
    tl.store(out + element, total.to(out.dtype.element_ty), mask=exists)


def depthwise(
    x: Tensor,
    w: Tensor,
    out: Tensor,
    operands: Sequence[Tensor] = (),
    epilogue: Any = identity,
    *,
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    block: int,
    num_warps: int,
) -> None:
    """
    out = epilogue(convolution of each channel of x with its own filters, *operands), in float32 until it is written.

        reference: `nn.conv` of as many groups as channels, in float64 (ir/meaning/windows.py), then the epilogue

    x is (batch, channels, ...), w (filters, 1, ...), out (batch, filters, ...), all contiguous; each operand broadcasts
    to out. Pads are those before each axis, and then those after.
    """
    (batch, channels, *size), (filters, depth, *kernel) = tuple(x.size()), tuple(w.size())
    require(depth == 1 and filters % channels == 0, f"{w.size()} has no filters for each of {channels} channels alone")
    wanted = require_window(x, out, filters, kernel, strides, pads, dilations)
    if is_empty(out):
        return
    require_narrow("x", prod(size), prod(wanted[2:]))
    of_operands = [broadcast_strides(operand, wanted) for operand in operands]
    depthwise_kernel[(triton.cdiv(prod(wanted), block),)](
        x, w, out, tuple(operands), batch, filters,
        SIZE=lifted(size, 1), KERNEL=lifted(kernel, 1), STRIDE=lifted(strides, 1), DILATION=lifted(dilations, 1),
        PAD=lifted(pads[: len(size)], 0), OUT=lifted(wanted[2:], 1), REPEAT=filters // channels,
        STRIDES=tuple((*each[:2], *lifted(each[2:], 0)) for each in of_operands), EPILOGUE=epilogue,
        BLOCK=block, num_warps=num_warps,
    )  # fmt: skip
