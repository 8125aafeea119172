"""
Rows to experts and back: the places that a stable sort by expert gives each pick, found by counting.

A pick comes after every pick of an expert before its own, and after the earlier picks of its own expert; one pass over
all picks for each block of them says how many those are, which needs no sort and no second launch.
"""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, require


@triton.jit
def dispatch_kernel(
    x, experts, rows, order, sizes, picks, width, count,
    K: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_ALL: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One program moves BLOCK_P picks, and says how many picks BLOCK_P experts have."""
    pick = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    own = tl.load(experts + pick, mask=pick < picks, other=0).to(tl.int32)
    place = tl.zeros((BLOCK_P,), tl.int32)
    members = tl.zeros((BLOCK_P,), tl.int32)
    for start in range(0, picks, BLOCK_ALL):
        other = start + tl.arange(0, BLOCK_ALL)
        theirs = tl.load(experts + other, mask=other < picks, other=2147483647).to(tl.int32)[None, :]
        before = (theirs < own[:, None]) | ((theirs == own[:, None]) & (other[None, :] < pick[:, None]))
        place += tl.sum(before.to(tl.int32), 1)
        members += tl.sum((theirs == pick[:, None]).to(tl.int32), 1)
    tl.store(order + place, pick.to(order.dtype.element_ty), mask=pick < picks)
    # Here `pick` numbers experts.
    tl.store(sizes + pick, members.to(sizes.dtype.element_ty), mask=pick < count)
    source = (pick // K).to(tl.int64) * width
    target = place.to(tl.int64) * width
    for start in range(0, width, BLOCK_N):
        columns = start + tl.arange(0, BLOCK_N)
        inside = (pick < picks)[:, None] & (columns < width)[None, :]
        value = tl.load(x + source[:, None] + columns[None, :], mask=inside)
        tl.store(rows + target[:, None] + columns[None, :], value, mask=inside)


@triton.jit
def combine_kernel(
    y, weights, order, out, tokens, width,
    K: tl.constexpr, BLOCK_ALL: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One program adds the K rows of one token."""
    token = tl.program_id(0)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    total = tl.zeros((BLOCK_N,), tl.float32)
    for pick in tl.static_range(K):
        place = tl.zeros((BLOCK_ALL,), tl.int32)
        for start in range(0, tokens * K, BLOCK_ALL):
            row = start + tl.arange(0, BLOCK_ALL)
            whose = tl.load(order + row, mask=row < tokens * K, other=-1).to(tl.int32)
            place += tl.where(whose == token * K + pick, row, 0)
        at = tl.sum(place, 0).to(tl.int64) * width
        weight = tl.load(weights + token.to(tl.int64) * K + pick).to(tl.float32)
        total += weight * tl.load(y + at + columns, mask=columns < width, other=0.0).to(tl.float32)
    tl.store(out + token.to(tl.int64) * width + columns, total.to(out.dtype.element_ty), mask=columns < width)


def dispatch(
    x: Tensor,
    experts: Tensor,
    rows: Tensor,
    order: Tensor,
    sizes: Tensor,
    *,
    block_p: int,
    block_n: int,
    num_warps: int,
) -> None:
    """
    A copy of each token for each expert that it picked, sorted by expert and then by token.

        reference: `nn.dispatch` (ir/meaning/experts.py)

    x is (tokens, width), `experts` (tokens, k) of integers; rows is (tokens k, width), `order` (tokens k) and `sizes`
    (experts) are of integers. All contiguous. Every program counts over all picks, so the work grows with their square:
    for 16,384 picks 2.7e8 comparisons of integers.
    """
    (tokens, width), (_, k) = x.size(), experts.size()
    picks, (count,) = tokens * k, sizes.size()
    fits = tuple(rows.size()) == (picks, width) and tuple(order.size()) == (picks,) and experts.size()[0] == tokens
    require(fits, f"rows {rows.size()} and order {order.size()} do not fit {picks} picks of {x.size()}")
    if is_empty(sizes):
        return
    dispatch_kernel[(triton.cdiv(max(picks, count), block_p),)](
        x, experts, rows, order, sizes, picks, width, count,
        K=k, BLOCK_P=block_p, BLOCK_ALL=256, BLOCK_N=block_n, num_warps=num_warps,
    )  # fmt: skip


def combine(y: Tensor, weights: Tensor, order: Tensor, out: Tensor, *, block_n: int, num_warps: int) -> None:
    """
    out[t] = sum over picks p of t of weights[t, p] y[place of that pick], in float32 until it is written.

        reference: `nn.combine` (ir/meaning/experts.py)

    y is (tokens k, width), `weights` (tokens, k), `order` (tokens k) as `dispatch` gives it, out (tokens, width).
    """
    (tokens, k), (rows, width) = weights.size(), y.size()
    fits = tokens * k == rows and tuple(out.size()) == (tokens, width) and tuple(order.size()) == (rows,)
    require(fits, f"rows {y.size()}, weights {weights.size()} and order {order.size()} do not fit {out.size()}")
    if is_empty(out):
        return
    combine_kernel[(tokens, triton.cdiv(width, block_n))](
        y, weights, order, out, tokens, width, K=k, BLOCK_ALL=256, BLOCK_N=block_n, num_warps=num_warps
    )
