"""
Attention of a few new tokens over a cache in pages, split over the context, since one sequence alone fills no GPU.

One kernel takes a part of the context, the other joins the parts (flash decoding: Dao et al. 2023,
https://crfm.stanford.edu/2023/10/12/flashdecoding.html; pages: Kwon et al. 2023, arXiv:2309.06180).
"""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .attention import LOG2_E, absorb, capped
from .products import dot
from .tensors import Tensor, is_empty, require, require_narrow


@triton.jit
def attend_pages(
    q, k_pages, v_pages, table, pages, first, last, place, exists, k_strides, v_strides, scale,
    WINDOW: tl.constexpr, CAP: tl.constexpr, PRECISION: tl.constexpr, PAGE: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """
    The running softmax of each row of q over the tokens first to last of a sequence with this row of the table.

    A token in none of the `pages` has a score that is not a number.
    """
    wide = tl.arange(0, BLOCK_D)
    wide_v = tl.arange(0, BLOCK_DV)
    total = tl.zeros((q.shape[0], BLOCK_DV), tl.float32)
    most = tl.full((q.shape[0],), float("-inf"), tl.float32)
    sums = tl.zeros((q.shape[0],), tl.float32)
    for start in range(first, last, BLOCK_N):
        token = start + tl.arange(0, BLOCK_N)
        written = token < last
        page = tl.load(table + token // PAGE, mask=written, other=0).to(tl.int64)
        there = written & (page >= 0) & (page < pages)
        k_row = page * k_strides[0] + (token % PAGE) * k_strides[1]
        v_row = page * v_strides[0] + (token % PAGE) * v_strides[1]
        k_at = k_pages + k_row[None, :] + wide[:, None] * k_strides[3]
        k_tile = tl.load(k_at, mask=there[None, :] & (wide[:, None] < D), other=0.0)
        scores = capped(dot(q, k_tile, tl.zeros((q.shape[0], BLOCK_N), tl.float32), PRECISION), scale, CAP)
        seen = written[None, :] & (token[None, :] <= place[:, None]) & exists[:, None]
        if WINDOW > 0:
            seen &= token[None, :] > place[:, None] - WINDOW
        scores = tl.where(there[None, :], scores * LOG2_E, float("nan"))
        scores = tl.where(seen, scores, float("-inf"))
        v_at = v_pages + v_row[:, None] + wide_v[None, :] * v_strides[3]
        v_tile = tl.load(v_at, mask=there[:, None] & (wide_v[None, :] < DV), other=0.0)
        total, most, sums = absorb(total, most, sums, scores, v_tile, PRECISION)
    return total, most, sums


@triton.jit
def paged_attention_kernel(
    q, k_pages, v_pages, table, lengths, out, partial, state, sizes, limits, q_strides, k_strides, v_strides,
    table_stride, out_strides, scale,
    WINDOW: tl.constexpr, CAP: tl.constexpr, PRECISION: tl.constexpr, SPLITS: tl.constexpr, PAGE: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """
    One program takes a part of the context for all queries that read one key head.

    Sizes are (heads, kv_heads, queries), limits how many pages there are and how many one sequence can have. Row r is
    query r % queries of the head r // queries of those that share keys.
    """
    heads, kv_heads, queries = sizes
    part = tl.program_id(0) % SPLITS
    kv_head = tl.program_id(0) // SPLITS % kv_heads
    sequence = (tl.program_id(0) // SPLITS // kv_heads).to(tl.int64)
    length = tl.load(lengths + sequence).to(tl.int32)
    group = heads // kv_heads
    rows = tl.arange(0, BLOCK_R)
    exists = rows < group * queries
    place = length - queries + rows % queries
    head = (kv_head * group + rows // queries).to(tl.int64)
    wide = tl.arange(0, BLOCK_D)
    wide_v = tl.arange(0, BLOCK_DV)
    q_row = sequence * q_strides[0] + head * q_strides[1] + (rows % queries) * q_strides[2]
    q_at = q + q_row[:, None] + wide[None, :] * q_strides[3]
    q_tile = tl.load(q_at, mask=exists[:, None] & (wide[None, :] < D), other=0.0)
    # Parts of whole blocks of the tokens that some query sees.
    begin = 0
    if WINDOW > 0:
        begin = tl.maximum(length - queries - WINDOW + 1, 0)
    each = tl.cdiv(tl.cdiv(length - begin, SPLITS), BLOCK_N) * BLOCK_N
    first = begin + part * each
    last = tl.minimum(first + each, tl.minimum(length, limits[1] * PAGE))
    k_pages += kv_head.to(tl.int64) * k_strides[2]
    v_pages += kv_head.to(tl.int64) * v_strides[2]
    table += sequence * table_stride
    total, most, sums = attend_pages(
        q_tile, k_pages, v_pages, table, limits[0], first, last, place, exists, k_strides, v_strides, scale,
        WINDOW, CAP, PRECISION, PAGE, D, DV, BLOCK_D, BLOCK_DV, BLOCK_N,
    )  # fmt: skip
    inside = exists[:, None] & (wide_v[None, :] < DV)
    if SPLITS == 1:
        out_row = sequence * out_strides[0] + head * out_strides[1] + (rows % queries) * out_strides[2]
        total = total / tl.where(sums > 0.0, sums, 1.0)[:, None]
        out_at = out + out_row[:, None] + wide_v[None, :] * out_strides[3]
        tl.store(out_at, total.to(out.dtype.element_ty), mask=inside)
    else:
        row = tl.program_id(0).to(tl.int64) * (group * queries) + rows
        tl.store(partial + row[:, None] * DV + wide_v[None, :], total, mask=inside)
        tl.store(state + row * 2, most, mask=exists)
        tl.store(state + row * 2 + 1, sums, mask=exists)


@triton.jit
def join_parts_kernel(
    partial, state, out, sizes, out_strides,
    SPLITS: tl.constexpr, BLOCK_SPLITS: tl.constexpr, DV: tl.constexpr, BLOCK_DV: tl.constexpr,
):  # fmt: skip
    """One program joins the parts of one row; sizes are (heads, kv_heads, queries)."""
    heads, kv_heads, queries = sizes
    rows = heads // kv_heads * queries
    row = tl.program_id(0) % rows
    of_kv_head = (tl.program_id(0) // rows).to(tl.int64)
    parts = tl.arange(0, BLOCK_SPLITS)
    wide = tl.arange(0, BLOCK_DV)
    at = (of_kv_head * SPLITS + parts) * rows + row
    most = tl.load(state + at * 2, mask=parts < SPLITS, other=float("-inf"))
    sums = tl.load(state + at * 2 + 1, mask=parts < SPLITS, other=0.0)
    inside = (parts[:, None] < SPLITS) & (wide[None, :] < DV)
    total = tl.load(partial + at[:, None] * DV + wide[None, :], mask=inside, other=0.0)
    highest = tl.max(most, 0)
    shrink = tl.exp2(most - tl.where(highest == float("-inf"), 0.0, highest))
    weight = tl.sum(sums * shrink, 0)
    result = tl.sum(total * shrink[:, None], 0) / tl.where(weight > 0.0, weight, 1.0)
    head = of_kv_head % kv_heads * (heads // kv_heads) + row // queries
    out += of_kv_head // kv_heads * out_strides[0] + head * out_strides[1] + row % queries * out_strides[2]
    tl.store(out + wide * out_strides[3], result.to(out.dtype.element_ty), mask=wide < DV)


def scratch_shapes(q: Tensor, v_pages: Tensor, splits: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of `partial` and `state`, float32, that `splits` parts of a context need."""
    batch, heads, queries, _ = q.size()
    _, _, kv_heads, dv = v_pages.size()
    rows = (batch, kv_heads, splits, heads // kv_heads * queries)
    return (*rows, dv), (*rows, 2)


def paged_attention(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    table: Tensor,
    lengths: Tensor,
    out: Tensor,
    partial: Tensor | None = None,
    state: Tensor | None = None,
    *,
    scale: float,
    window: int = 0,
    softcap: float = 0.0,
    splits: int,
    block_n: int,
    num_warps: int,
    num_stages: int,
    precision: str = "ieee",
) -> None:
    """
    Causal attention of the last `queries` of each sequence's tokens over a cache in pages.

        reference: `nn.paged_attention` in float64 (ir/meaning/attention.py)

    q is (batch, heads, queries, d), pages are (pages, page, kv_heads, d) and (pages, page, kv_heads, dv), `table`
    (batch, blocks) and `lengths` (batch) are of integers; out is (batch, heads, queries, dv). The context is taken in
    `splits` parts, whose sums go to `partial` and `state` (`scratch_shapes`) unless there is but one.
    """
    batch, heads, queries, d = q.size()
    page, kv_heads, dv = v_pages.size()[1:]
    fits = tuple(k_pages.size())[1:] == (page, kv_heads, d) and heads % max(1, kv_heads) == 0
    require(fits, f"queries {q.size()} and pages {k_pages.size()}, {v_pages.size()} do not fit")
    of_batch = table.size()[0] == batch and tuple(lengths.size()) == (batch,) and table.stride()[1] == 1
    require(of_batch, f"a table {table.size()} and lengths {lengths.size()} are not those of a batch of {batch}")
    require(tuple(out.size()) == (batch, heads, queries, dv), f"{out.size()} is not {(batch, heads, queries, dv)}")
    require(splits == 1 or (partial is not None and state is not None), f"{splits} parts need `partial` and `state`")
    if is_empty(out):
        return
    require_narrow("pages", page * k_pages.stride()[1], page * v_pages.stride()[1])
    sizes, rows = (heads, kv_heads, queries), heads // kv_heads * queries
    limits = min(k_pages.size()[0], v_pages.size()[0]), table.size()[1]
    block_dv = max(16, triton.next_power_of_2(dv))
    paged_attention_kernel[(batch * kv_heads * splits,)](
        q, k_pages, v_pages, table, lengths, out, partial, state, sizes, limits, tuple(q.stride()),
        tuple(k_pages.stride()), tuple(v_pages.stride()), table.stride()[0], tuple(out.stride()), scale,
        WINDOW=window, CAP=softcap, PRECISION=precision, SPLITS=splits, PAGE=page, D=d, DV=dv,
        BLOCK_D=max(16, triton.next_power_of_2(d)), BLOCK_DV=block_dv, BLOCK_R=max(16, triton.next_power_of_2(rows)),
        BLOCK_N=block_n, num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
    if splits > 1:
        join_parts_kernel[(batch * kv_heads * rows,)](
            partial, state, out, sizes, tuple(out.stride()),
            SPLITS=splits, BLOCK_SPLITS=triton.next_power_of_2(splits), DV=dv, BLOCK_DV=block_dv, num_warps=4,
        )  # fmt: skip
