"""The largest elements of rows, and where they are."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .route import LEAST, ordered
from .tensors import Tensor, is_empty, require

LEAST_WIDE = tl.constexpr(-(2**63))


@triton.jit
def top_k_kernel(
    x, values, indices, rows, N: tl.constexpr, K: tl.constexpr, FLOATS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """One program takes BLOCK_ROWS rows of N elements, each in one piece."""
    row = tl.program_id(0).to(tl.int64) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    column = tl.arange(0, BLOCK_N)[None, :]
    given = tl.load(x + row[:, None] * N + column, mask=(row < rows)[:, None] & (column < N), other=0)
    given = given.to(tl.float32) if FLOATS else given.to(tl.int64)
    least: tl.constexpr = LEAST if FLOATS else LEAST_WIDE
    keys = tl.where(column < N, ordered(given) if FLOATS else given, least)
    left = (column < N) & (row >= 0)[:, None]
    place = tl.arange(0, BLOCK_K)[None, :]
    picked = tl.zeros((BLOCK_ROWS, BLOCK_K), given.dtype)
    chosen = tl.zeros((BLOCK_ROWS, BLOCK_K), tl.int32)
    for i in range(K):
        # Of equals, the first; what was taken is not there any more.
        most = tl.max(tl.where(left, keys, least), 1)[:, None]
        best = tl.min(tl.where(left & (keys == most), column, BLOCK_N), 1)
        taken = column == best[:, None]
        element = tl.sum(tl.where(taken, given, tl.zeros_like(given)), 1)
        picked = tl.where(place == i, element[:, None], picked)
        chosen = tl.where(place == i, best[:, None], chosen)
        left = left & (column != best[:, None])
    inside = (row < rows)[:, None] & (place < K)
    tl.store(values + row[:, None] * K + place, picked.to(values.dtype.element_ty), mask=inside)
    tl.store(indices + row[:, None] * K + place, chosen.to(indices.dtype.element_ty), mask=inside)


def top_k(x: Tensor, values: Tensor, indices: Tensor, *, floats: bool, block_rows: int, num_warps: int) -> None:
    """
    The k largest elements of each row, largest first, and their places; of equals the first comes first.

        reference: order = numpy.argsort(-x, axis=1, kind="stable")[:, :k]; take_along_axis(x, order, 1), order

    x is (rows, n), values and indices are (rows, k), all contiguous. `floats` says whether x holds floats, of which
    those that are no numbers come last, or integers, but those of 64 bits without a sign.
    """
    rows, n = x.size()
    k = values.size()[1]
    fits = tuple(values.size()) == tuple(indices.size()) == (rows, k) and k <= n
    require(fits, f"values {values.size()} and indices {indices.size()} do not fit rows {x.size()}")
    if is_empty(values):
        return
    top_k_kernel[(triton.cdiv(rows, block_rows),)](
        x, values, indices, rows, N=n, K=k, FLOATS=floats, BLOCK_ROWS=block_rows,
        BLOCK_N=triton.next_power_of_2(n), BLOCK_K=triton.next_power_of_2(k), num_warps=num_warps,
    )  # fmt: skip


@triton.jit
def arg_max_kernel(
    x, out, rows, N: tl.constexpr, FLOATS: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_N: tl.constexpr
):
    """One program takes BLOCK_ROWS rows of N elements, BLOCK_N at a time."""
    row = tl.program_id(0).to(tl.int64) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    column = tl.arange(0, BLOCK_N)[None, :]
    least: tl.constexpr = LEAST if FLOATS else LEAST_WIDE
    most = tl.full((BLOCK_ROWS,), least, tl.int32 if FLOATS else tl.int64)
    best = tl.zeros((BLOCK_ROWS,), tl.int32)
    for start in range(0, N, BLOCK_N):
        inside = (row < rows)[:, None] & (start + column < N)
        given = tl.load(x + row[:, None] * N + start + column, mask=inside, other=0)
        if FLOATS:
            wide = given.to(tl.float32)
            keys = tl.where(wide != wide, 2**31 - 1, ordered(wide))  # noqa: PLR0124
        else:
            keys = given.to(tl.int64)
        keys = tl.where(start + column < N, keys, least)
        higher = tl.max(keys, 1)
        first = tl.min(tl.where(keys == higher[:, None], start + column, N - 1), 1)
        best = tl.where((higher > most) | (start == 0), first, best)
        most = tl.maximum(most, higher)
    tl.store(out + row, best.to(out.dtype.element_ty), mask=row < rows)


def arg_max(x: Tensor, out: Tensor, *, floats: bool, block_rows: int, block_n: int, num_warps: int) -> None:
    """
    Where the largest element of each row is: the first of equal ones, or the first that is no number.

        reference: numpy.argmax(x, axis=1)

    x is (rows, n), of floats if `floats` or else of integers, but those of 64 bits without a sign, out (rows)
    of integers, both contiguous.
    """
    rows, n = x.size()
    require(tuple(out.size()) == (rows,) and n > 0, f"out {out.size()} is not one place for each row of {x.size()}")
    if is_empty(out):
        return
    arg_max_kernel[(triton.cdiv(rows, block_rows),)](
        x, out, rows, N=n, FLOATS=floats, BLOCK_ROWS=block_rows, BLOCK_N=block_n, num_warps=num_warps
    )
