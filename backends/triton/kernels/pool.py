"""Pooling over one to three dimensions: the largest element of each window, or the mean."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from math import prod

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, require_narrow
from .windows import lifted, require_window, window_offset


@triton.jit
def pool_kernel(
    x, out, planes, SIZE: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr,
    PAD: tl.constexpr, OUT: tl.constexpr, MEAN: tl.constexpr, COUNT_PADS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program computes BLOCK pixels of the output of all channels of all images."""
    VOLUME: tl.constexpr = KERNEL[0] * KERNEL[1] * KERNEL[2]
    PIXELS: tl.constexpr = OUT[0] * OUT[1] * OUT[2]
    pixel = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    plane = pixel // PIXELS
    place = (pixel % PIXELS).to(tl.int32)
    x += plane * (SIZE[0] * SIZE[1] * SIZE[2])
    total = tl.full((BLOCK,), 0.0 if MEAN else float("-inf"), tl.float32)
    seen = tl.zeros((BLOCK,), tl.float32)
    for k in range(VOLUME):
        offset, inside = window_offset(place, k, SIZE, KERNEL, STRIDE, DILATION, PAD, OUT)
        inside &= plane < planes
        value = tl.load(x + offset, mask=inside, other=0.0 if MEAN else float("-inf")).to(tl.float32)
        if MEAN:
            total += value
            seen += inside.to(tl.float32)
        else:
            total = tl.maximum(total, value, propagate_nan=tl.PropagateNan.ALL)
    if MEAN:
        total = total / VOLUME if COUNT_PADS else total / tl.where(plane < planes, seen, 1.0)
    tl.store(out + pixel, total.to(out.dtype.element_ty), mask=plane < planes)


def pool(
    x: Tensor,
    out: Tensor,
    *,
    mean: bool,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    count_pads: bool = False,
    block: int,
    num_warps: int,
) -> None:
    """
    The largest element of each window, padding never winning, or the mean, over the padding too if `count_pads`.

        reference: `nn.max_pool` and `nn.average_pool` in float64 (ir/meaning/windows.py)

    x is (batch, channels, ...), out (batch, channels, ...), contiguous. Pads are those before each axis, then those
    after.
    """
    batch, channels, *size = x.size()
    wanted = require_window(x, out, channels, kernel, strides, pads, dilations)
    if is_empty(out):
        return
    require_narrow("x", prod(size))
    pool_kernel[(triton.cdiv(prod(wanted), block),)](
        x, out, batch * channels, SIZE=lifted(size, 1), KERNEL=lifted(kernel, 1), STRIDE=lifted(strides, 1),
        DILATION=lifted(dilations, 1), PAD=lifted(pads[: len(size)], 0), OUT=lifted(wanted[2:], 1),
        MEAN=mean, COUNT_PADS=count_pads, BLOCK=block, num_warps=num_warps,
    )  # fmt: skip
