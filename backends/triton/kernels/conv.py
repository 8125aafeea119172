"""Convolution as a product of matrices whose left side is gathered from the image as it is needed (implicit GEMM)."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from collections.abc import Sequence
from math import prod
from typing import Any

import triton
import triton.language as tl

from .products import dot, identity
from .tensors import Tensor, broadcast_strides, is_empty, require, require_narrow
from .windows import lifted, operand_offset, require_window, window_offset


@triton.jit
def conv_kernel(
    x, w, out, operands, batches, channels, filters,
    SIZE: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, PAD: tl.constexpr,
    OUT: tl.constexpr, DEPTH: tl.constexpr, GROUPS: tl.constexpr, STRIDES: tl.constexpr, EPILOGUE: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """
    One program computes BLOCK_M pixels of BLOCK_N filters of one group, from DEPTH channels.

    The product has a row for each pixel of the output, a column for each filter of the group, and sums over channels
    and window. Sizes are (depth, height, width), of which the first are 1 for images of fewer dimensions.
    """
    VOLUME: tl.constexpr = KERNEL[0] * KERNEL[1] * KERNEL[2]
    PIXELS: tl.constexpr = OUT[0] * OUT[1] * OUT[2]
    IMAGE: tl.constexpr = SIZE[0] * SIZE[1] * SIZE[2]
    tiles_n = tl.cdiv(filters // GROUPS, BLOCK_N)
    # Neighbouring programs read the same pixels with other filters.
    column = tl.program_id(0) % tiles_n * BLOCK_N + tl.arange(0, BLOCK_N)
    group = tl.program_id(0) // tiles_n % GROUPS
    pixel = (tl.program_id(0) // tiles_n // GROUPS).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    batch = pixel // PIXELS
    place = (pixel % PIXELS).to(tl.int32)
    row_exists = batch < batches
    column_exists = column < filters // GROUPS
    filter = group * (filters // GROUPS) + column
    image = x + (batch * channels + group * DEPTH) * IMAGE
    weights = w + filter.to(tl.int64) * (DEPTH * VOLUME)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, DEPTH * VOLUME, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        within = (k % VOLUME)[None, :]
        offset, inside = window_offset(place[:, None], within, SIZE, KERNEL, STRIDE, DILATION, PAD, OUT)
        offset += (k // VOLUME * IMAGE)[None, :]
        inside &= row_exists[:, None] & (k < DEPTH * VOLUME)[None, :]
        a_tile = tl.load(image[:, None] + offset, mask=inside, other=0.0)
        exists = (k < DEPTH * VOLUME)[:, None] & column_exists[None, :]
        b_tile = tl.load(weights[None, :] + k[:, None], mask=exists, other=0.0)
        total = dot(a_tile, b_tile, total, PRECISION)
    mask = row_exists[:, None] & column_exists[None, :]
    values = ()
    for i in tl.static_range(len(operands)):
        at = operands[i] + operand_offset(batch[:, None], filter[None, :], place[:, None], STRIDES[i], OUT)
        values = values + (tl.load(at, mask=mask).to(tl.float32),)  # Triton cannot unpack inside a tuple
    total = EPILOGUE(total, *values)
    at = out + (batch * filters * PIXELS + place)[:, None] + (filter * PIXELS)[None, :]
    tl.store(at, total.to(out.dtype.element_ty), mask=mask)


def conv(
    x: Tensor,
    w: Tensor,
    out: Tensor,
    operands: Sequence[Tensor] = (),
    epilogue: Any = identity,
    *,
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    groups: int = 1,
    block_m: int,
    block_n: int,
    block_k: int,
    num_warps: int,
    num_stages: int,
    precision: str = "ieee",
) -> None:
    """
    out = epilogue(convolution of x with w, *operands) over one to three dimensions, in float32 until it is written.

        reference: `nn.conv` in float64 (ir/meaning/windows.py), then the epilogue

    x is (batch, channels, ...), w (filters, channels / groups, ...), out (batch, filters, ...), all contiguous; each
    operand broadcasts to out: a bias (filters, 1, 1), a residual like out. Pads are those before each axis, and then
    those after, which the size of out implies. `block_m` is of pixels, `block_n` of filters, `block_k` of channels
    times window.
    """
    (batch, channels, *size), (filters, depth, *kernel) = tuple(x.size()), tuple(w.size())
    require(depth * groups == channels and filters % groups == 0, f"{w.size()} has not {groups} groups of {channels}")
    wanted = require_window(x, out, filters, kernel, strides, pads, dilations)
    if is_empty(out):
        return
    require_narrow("x", channels * prod(size), filters * prod(wanted[2:]), depth * prod(kernel))

    of_operands = [broadcast_strides(operand, wanted) for operand in operands]
    grid = triton.cdiv(batch * prod(wanted[2:]), block_m) * groups * triton.cdiv(filters // groups, block_n)
    conv_kernel[(grid,)](
        x, w, out, tuple(operands), batch, channels, filters,
        SIZE=lifted(size, 1), KERNEL=lifted(kernel, 1), STRIDE=lifted(strides, 1), DILATION=lifted(dilations, 1),
        PAD=lifted(pads[: len(size)], 0), OUT=lifted(wanted[2:], 1), DEPTH=depth, GROUPS=groups,
        STRIDES=tuple((*strides[:2], *lifted(strides[2:], 0)) for strides in of_operands), EPILOGUE=epilogue,
        PRECISION=precision, BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, num_warps=num_warps,
        num_stages=num_stages,
    )  # fmt: skip
