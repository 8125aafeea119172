"""Attention without a matrix of scores: blocks of keys and a running softmax (Dao 2023, arXiv:2307.08691)."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

import triton
import triton.language as tl

from .elementwise import tanh
from .products import dot
from .tensors import Tensor, broadcast_strides, is_empty, require, require_narrow

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def capped(scores, scale, CAP: tl.constexpr):
    """The scores scaled and, with a CAP c above 0, c tanh(score / c)."""
    scores = scores * scale
    if CAP > 0.0:
        scores = CAP * tanh(scores * (1.0 / CAP))
    return scores


@triton.jit
def absorb(total, most, sums, scores, values, PRECISION: tl.constexpr):
    """
    Takes a block of scores, in powers of two, and values (n, dv) into the running softmax of each row.

    total is sum(2^(score - most) value), sums its weights; where no score is above -inf yet, `most` is -inf.
    """
    higher = tl.maximum(most, tl.max(scores, 1))
    shift = tl.where(higher == float("-inf"), 0.0, higher)
    weights = tl.exp2(scores - shift[:, None])
    shrink = tl.exp2(most - shift)
    sums = sums * shrink + tl.sum(weights, 1)
    total = dot(weights.to(values.dtype), values, total * shrink[:, None], PRECISION)
    return total, higher, sums


@triton.jit
def attend(
    total, most, sums, q, k, v, mask, place, rows, start, stop, queries, keys,
    k_strides, v_strides, mask_strides, scale,
    EDGE: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, CAP: tl.constexpr, PRECISION: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Takes keys start to stop into the running softmax; EDGE says that a query may not see all of them."""
    columns = tl.arange(0, BLOCK_N)
    wide = tl.arange(0, BLOCK_D)
    wide_v = tl.arange(0, BLOCK_DV)
    for first in range(start, stop, BLOCK_N):
        here = first + columns
        exists = here < keys
        k_at = k + tl.cast(first, tl.int64) * k_strides[0]
        v_at = v + tl.cast(first, tl.int64) * v_strides[0]
        # Columns of k_tile are keys.
        k_tile = tl.load(
            k_at + columns[None, :] * k_strides[0] + wide[:, None] * k_strides[1],
            mask=exists[None, :] & (wide[:, None] < D), other=0.0,
        )  # fmt: skip
        scores = capped(dot(q, k_tile, tl.zeros((q.shape[0], BLOCK_N), tl.float32), PRECISION), scale, CAP)
        if mask is not None:
            at = mask + rows[:, None].to(tl.int64) * mask_strides[0] + here[None, :].to(tl.int64) * mask_strides[1]
            inside = (rows[:, None] < queries) & exists[None, :]
            scores += tl.load(at, mask=inside, other=0.0).to(tl.float32)
        if EDGE:
            seen = exists[None, :] & (rows[:, None] < queries)
            if CAUSAL:
                seen &= here[None, :] <= place[:, None]
            if WINDOW > 0:
                seen &= here[None, :] > place[:, None] - WINDOW
            scores = tl.where(seen, scores, float("-inf"))
        v_tile = tl.load(
            v_at + columns[:, None] * v_strides[0] + wide_v[None, :] * v_strides[1],
            mask=exists[:, None] & (wide_v[None, :] < DV), other=0.0,
        )  # fmt: skip
        total, most, sums = absorb(total, most, sums, scores * LOG2_E, v_tile, PRECISION)
    return total, most, sums


@triton.jit
def attention_kernel(
    q, k, v, mask, sinks, out, sizes, q_strides, k_strides, v_strides, mask_strides, out_strides, scale,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, CAP: tl.constexpr, PRECISION: tl.constexpr,
    D: tl.constexpr, DV: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_DV: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One program computes BLOCK_M queries of one head; sizes are (heads, kv_heads, queries, keys)."""
    heads, kv_heads, queries, keys = sizes
    tiles = tl.cdiv(queries, BLOCK_M)
    # The last queries see the most keys where attention is causal, so they start first.
    first_row = (tiles - 1 - tl.program_id(0) % tiles) * BLOCK_M
    head = tl.program_id(0) // tiles % heads
    batch = (tl.program_id(0) // tiles // heads).to(tl.int64)
    kv_head = (head // (heads // kv_heads)).to(tl.int64)
    rows = first_row + tl.arange(0, BLOCK_M)
    place = rows + keys - queries
    wide = tl.arange(0, BLOCK_D)
    q += batch * q_strides[0] + head.to(tl.int64) * q_strides[1] + first_row.to(tl.int64) * q_strides[2]
    q_at = q + tl.arange(0, BLOCK_M)[:, None] * q_strides[2] + wide[None, :] * q_strides[3]
    q_tile = tl.load(q_at, mask=(rows[:, None] < queries) & (wide[None, :] < D), other=0.0)
    k += batch * k_strides[0] + kv_head * k_strides[1]
    v += batch * v_strides[0] + kv_head * v_strides[1]
    if mask is not None:
        mask += batch * mask_strides[0] + head.to(tl.int64) * mask_strides[1]
    total = tl.zeros((BLOCK_M, BLOCK_DV), tl.float32)
    if sinks is not None:
        most = tl.zeros((BLOCK_M,), tl.float32) + tl.load(sinks + head).to(tl.float32) * LOG2_E
        sums = tl.full((BLOCK_M,), 1.0, tl.float32)
    else:
        most = tl.full((BLOCK_M,), float("-inf"), tl.float32)
        sums = tl.zeros((BLOCK_M,), tl.float32)
    # Keys [begin, end) are seen by some query, [inner, outer) in whole blocks by all of them.
    last = tl.minimum(first_row + BLOCK_M, queries) - 1 + keys - queries
    begin = 0
    end = keys
    inner = 0
    outer = keys
    if CAUSAL:
        end = last + 1
        outer = first_row + keys - queries + 1
    if WINDOW > 0:
        begin = tl.maximum(first_row + keys - queries - WINDOW + 1, 0) // BLOCK_N * BLOCK_N
        inner = tl.cdiv(tl.maximum(last - WINDOW + 1, 0), BLOCK_N) * BLOCK_N
    outer = outer // BLOCK_N * BLOCK_N
    inner = tl.maximum(begin, tl.minimum(inner, end))
    outer = tl.maximum(outer, inner)
    for part in tl.static_range(3):
        start = begin if part == 0 else (inner if part == 1 else outer)
        stop = inner if part == 0 else (outer if part == 1 else end)
        if part != 0 or WINDOW > 0:
            total, most, sums = attend(
                total, most, sums, q_tile, k, v, mask, place, rows, start, stop, queries, keys,
                (k_strides[2], k_strides[3]), (v_strides[2], v_strides[3]), (mask_strides[2], mask_strides[3]), scale,
                part != 1, CAUSAL, WINDOW, CAP, PRECISION, D, DV, BLOCK_D, BLOCK_DV, BLOCK_N,
            )  # fmt: skip
    wide_v = tl.arange(0, BLOCK_DV)
    total = total / tl.where(sums > 0.0, sums, 1.0)[:, None]
    out += batch * out_strides[0] + head.to(tl.int64) * out_strides[1] + first_row.to(tl.int64) * out_strides[2]
    out_at = out + tl.arange(0, BLOCK_M)[:, None] * out_strides[2] + wide_v[None, :] * out_strides[3]
    tl.store(out_at, total.to(out.dtype.element_ty), mask=(rows[:, None] < queries) & (wide_v[None, :] < DV))


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    mask: Tensor | None = None,
    sinks: Tensor | None = None,
    *,
    scale: float,
    causal: bool = False,
    window: int = 0,
    softcap: float = 0.0,
    block_m: int,
    block_n: int,
    num_warps: int,
    num_stages: int,
    precision: str = "ieee",
) -> None:
    """
    out = softmax(softcap(scale q k^T) + mask) v for each head; query head h reads key head h // (heads / kv_heads).

        reference: `nn.attention` in float64 (ir/meaning/attention.py); a sink adds exp(sinks[head]) to a sum of weights

    q is (batch, heads, queries, d), k (batch, kv_heads, keys, d), v (batch, kv_heads, keys, dv), out (batch, heads,
    queries, dv), of any strides. The additive mask broadcasts to (batch, heads, queries, keys); `sinks` is (heads).
    The queries are the last of the keys' positions: with `causal` query i sees keys up to i + keys - queries, with a
    `window` only the last `window` of those. A query that sees no key gives 0. Values at keys that no query of a block
    sees are not read, so what is not finite there does not show, as it would in a product with weights of 0.
    """
    batch, heads, queries, d = q.size()
    kv_heads, keys, dv = k.size()[1], k.size()[2], v.size()[3]
    fits = tuple(k.size()) == (batch, kv_heads, keys, d) and tuple(v.size()) == (batch, kv_heads, keys, dv)
    require(
        fits and heads % max(1, kv_heads) == 0, f"queries {q.size()}, keys {k.size()}, values {v.size()} do not fit"
    )
    require(tuple(out.size()) == (batch, heads, queries, dv), f"{out.size()} is not {(batch, heads, queries, dv)}")
    require(keys >= queries or not (causal or window), f"{queries} queries are not the last of {keys} positions")
    require(sinks is None or tuple(sinks.size()) == (heads,), f"sinks are not one for each of {heads} heads")
    if is_empty(out):
        return
    for name, tensor, rows in (("q", q, block_m), ("k", k, block_n), ("v", v, block_n), ("out", out, block_m)):
        require_narrow(name, rows * tensor.stride()[2] + max(d, dv) * tensor.stride()[3])
    of_mask = (0, 0, 0, 0) if mask is None else broadcast_strides(mask, (batch, heads, queries, keys))
    attention_kernel[(batch * heads * triton.cdiv(queries, block_m),)](
        q, k, v, mask, sinks, out, (heads, kv_heads, queries, keys), tuple(q.stride()), tuple(k.stride()),
        tuple(v.stride()), of_mask, tuple(out.stride()), scale,
        CAUSAL=bool(causal), WINDOW=window, CAP=softcap, PRECISION=precision, D=d, DV=dv,
        BLOCK_D=max(16, triton.next_power_of_2(d)), BLOCK_DV=max(16, triton.next_power_of_2(dv)),
        BLOCK_M=block_m, BLOCK_N=block_n, num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
