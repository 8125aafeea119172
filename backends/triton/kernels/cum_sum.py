"""Running sums along rows."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, require


@triton.jit
def cum_sum_kernel(
    x, out, rows, N: tl.constexpr, EXCLUSIVE: tl.constexpr, REVERSE: tl.constexpr, FLOATS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One program takes BLOCK_ROWS rows of N elements, BLOCK_N at a time, and what came before along with it."""
    row = tl.program_id(0).to(tl.int64) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    before = tl.zeros((BLOCK_ROWS,), tl.float32 if FLOATS else tl.int64)
    for start in range(0, N, BLOCK_N):
        place = start + tl.arange(0, BLOCK_N)
        inside = (row < rows)[:, None] & (place < N)[None, :]
        at = row[:, None] * N + ((N - 1 - place) if REVERSE else place)[None, :]
        given = tl.load(x + at, mask=inside, other=0).to(before.dtype)
        total = tl.cumsum(given, 1) + before[:, None]
        before += tl.sum(given, 1)
        tl.store(out + at, (total - given if EXCLUSIVE else total).to(out.dtype.element_ty), mask=inside)


def cum_sum(
    x: Tensor, out: Tensor, *, exclusive: bool = False, reverse: bool = False, floats: bool,
    block_rows: int, block_n: int, num_warps: int,
) -> None:  # fmt: skip
    """
    The sum of each element of a row and all before it, or without itself; of those after it if `reverse`.

        reference: numpy.cumsum(x, axis=1) in float64; shifted by one if exclusive, flipped before and after if reverse

    x and out are (rows, n), contiguous; sums are in float32 if `floats`, else in integers of 64 bits.
    """
    require(tuple(x.size()) == tuple(out.size()), f"out {out.size()} is not of the shape of x {x.size()}")
    rows, n = x.size()
    if is_empty(out):
        return
    cum_sum_kernel[(triton.cdiv(rows, block_rows),)](
        x, out, rows, N=n, EXCLUSIVE=exclusive, REVERSE=reverse, FLOATS=floats,
        BLOCK_ROWS=block_rows, BLOCK_N=block_n, num_warps=num_warps,
    )  # fmt: skip
