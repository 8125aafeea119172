"""Softmax along any axis."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .elementwise import broadcast_offset
from .tensors import Tensor, is_empty, reach, require, split_axes


@triton.jit
def softmax_kernel(
    x, out, KEPT: tl.constexpr, N: tl.constexpr, VIEWS: tl.constexpr, WIDE: tl.constexpr,
    BLOCK_KEPT: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """
    One program takes BLOCK_KEPT of the KEPT softmaxes of N elements, in one piece if N fits into BLOCK_N.

    VIEWS are the terms of x along what is kept and along the axis, then those of out. WIDE: offsets of 64 bits.
    """
    kept = tl.program_id(0) * BLOCK_KEPT + tl.arange(0, BLOCK_KEPT)
    columns = tl.arange(0, BLOCK_N)
    exists = (kept < KEPT)[:, None]
    if WIDE:
        kept = kept.to(tl.int64)
        columns = columns.to(tl.int64)
    x += broadcast_offset(kept, KEPT, VIEWS, 0)[:, None]
    out += broadcast_offset(kept, KEPT, VIEWS, 2)[:, None]
    if N <= BLOCK_N:
        inside = exists & (columns < N)[None, :]
        row = tl.load(x + broadcast_offset(columns, N, VIEWS, 1)[None, :], mask=inside, other=float("-inf"))
        row = row.to(tl.float32)
        weights = tl.where(columns[None, :] < N, tl.exp(row - tl.max(row, 1)[:, None]), 0.0)
        result = weights / tl.sum(weights, 1)[:, None]
        tl.store(out + broadcast_offset(columns, N, VIEWS, 3)[None, :], result.to(out.dtype.element_ty), mask=inside)
    else:
        most = tl.full((BLOCK_KEPT,), float("-inf"), tl.float32)
        sums = tl.zeros((BLOCK_KEPT,), tl.float32)
        for start in range(0, N, BLOCK_N):
            inside = exists & (start + columns < N)[None, :]
            at = x + broadcast_offset(start + columns, N, VIEWS, 1)[None, :]
            part = tl.load(at, mask=inside, other=float("-inf")).to(tl.float32)
            higher = tl.maximum(most, tl.max(part, 1))
            shift = tl.where(higher == float("-inf"), 0.0, higher)
            sums = sums * tl.exp(most - shift) + tl.sum(tl.exp(part - shift[:, None]), 1)
            most = higher
        for start in range(0, N, BLOCK_N):
            inside = exists & (start + columns < N)[None, :]
            at = x + broadcast_offset(start + columns, N, VIEWS, 1)[None, :]
            part = tl.load(at, mask=inside, other=0.0).to(tl.float32)
            result = tl.exp(part - most[:, None]) / sums[:, None]
            at = out + broadcast_offset(start + columns, N, VIEWS, 3)[None, :]
            tl.store(at, result.to(out.dtype.element_ty), mask=inside)


def softmax(x: Tensor, out: Tensor, *, axis: int, block_kept: int, block_n: int, num_warps: int) -> None:
    """
    out = exp(x - max(x)) / sum(exp(x - max(x))) along `axis`, in float32 until it is written.

        reference: p = exp(x - x.max(axis, keepdims=True)); p / p.sum(axis, keepdims=True) in float64

    x and out have one shape and any strides; out may be x. An axis longer than `block_n` is read twice.
    """
    require(tuple(x.size()) == tuple(out.size()), f"out {out.size()} is not of the shape of x {x.size()}")
    require(0 <= axis < len(x.size()), f"there is no axis {axis} in {x.size()}")
    if is_empty(out):
        return
    (kept, of_kept), (n, of_axis) = split_axes(x, (axis,))
    (_, out_kept), (_, out_axis) = split_axes(out, (axis,))
    softmax_kernel[(triton.cdiv(kept, block_kept),)](
        x, out, KEPT=kept, N=n, VIEWS=(of_kept, of_axis, out_kept, out_axis),
        WIDE=max(reach(x), reach(out), kept + block_kept, n + block_n) >= 2**31,
        BLOCK_KEPT=block_kept, BLOCK_N=block_n, num_warps=num_warps,
    )  # fmt: skip
