"""Rotary position embedding (Su et al. 2021, arXiv:2104.09864, eq. 34)."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, require, require_narrow


@triton.jit
def rotary_kernel(
    x, cos, sin, out, sizes, x_strides, table_strides, out_strides,
    D: tl.constexpr, HALF: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_HALF: tl.constexpr, BLOCK_REST: tl.constexpr,
):  # fmt: skip
    """One program turns BLOCK_ROWS rows of (batch, heads, tokens); sizes are (batch, heads, tokens)."""
    batches, heads, tokens = sizes
    row = tl.program_id(0).to(tl.int64) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    exists = (row < batches.to(tl.int64) * heads * tokens)[:, None]
    token = row % tokens
    head = row // tokens % heads
    batch = row // tokens // heads
    x += (batch * x_strides[0] + head * x_strides[1] + token * x_strides[2])[:, None]
    out += (batch * out_strides[0] + head * out_strides[1] + token * out_strides[2])[:, None]
    pair = tl.arange(0, BLOCK_HALF)
    inside = exists & (pair < HALF)[None, :]
    entry = (batch * table_strides[0] + token * table_strides[1])[:, None] + pair[None, :]
    cosine = tl.load(cos + entry, mask=inside, other=0.0).to(tl.float32)
    sine = tl.load(sin + entry, mask=inside, other=0.0).to(tl.float32)
    first = 2 * pair if INTERLEAVED else pair
    second = 2 * pair + 1 if INTERLEAVED else pair + HALF
    one = tl.load(x + first[None, :] * x_strides[3], mask=inside, other=0.0).to(tl.float32)
    other = tl.load(x + second[None, :] * x_strides[3], mask=inside, other=0.0).to(tl.float32)
    kind = out.dtype.element_ty
    tl.store(out + first[None, :] * out_strides[3], (one * cosine - other * sine).to(kind), mask=inside)
    tl.store(out + second[None, :] * out_strides[3], (other * cosine + one * sine).to(kind), mask=inside)
    if 2 * HALF < D:
        rest = 2 * HALF + tl.arange(0, BLOCK_REST)
        inside = exists & (rest < D)[None, :]
        same = tl.load(x + rest[None, :] * x_strides[3], mask=inside)
        tl.store(out + rest[None, :] * out_strides[3], same.to(kind), mask=inside)


def rotary(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    out: Tensor,
    *,
    interleaved: bool = False,
    block_rows: int,
    num_warps: int,
) -> None:
    """
    The first 2 h of d elements turned in pairs: (a, b) -> (a cos - b sin, b cos + a sin); the others are copied.

        reference: `nn.rotary` in float64 (ir/meaning/attention.py)

    x and out are (batch, heads, tokens, d) of any strides, out may be x; the tables are (tokens, h) or (batch, tokens,
    h), row-major. Pair i is elements i and i + h, or 2 i and 2 i + 1 where `interleaved`.
    """
    batch, heads, tokens, d = x.size()
    table, half = tuple(cos.size()), cos.size()[-1]
    fits = table in ((tokens, half), (batch, tokens, half)) and tuple(sin.size()) == table and 2 * half <= d
    require(fits, f"tables {cos.size()} and {sin.size()} do not fit {x.size()}")
    require(tuple(out.size()) == tuple(x.size()), f"out {out.size()} is not of the shape of x {x.size()}")
    if is_empty(out):
        return
    require_narrow("x", d * x.stride()[3], d * out.stride()[3])
    rows = batch * heads * tokens
    rotary_kernel[(triton.cdiv(rows, block_rows),)](
        x, cos, sin, out, (batch, heads, tokens), tuple(x.stride()),
        (tokens * half if len(table) == 3 else 0, half), tuple(out.stride()),
        D=d, HALF=half, INTERLEAVED=bool(interleaved), BLOCK_ROWS=block_rows,
        BLOCK_HALF=triton.next_power_of_2(max(1, half)), BLOCK_REST=triton.next_power_of_2(max(1, d - 2 * half)),
        num_warps=num_warps,
    )  # fmt: skip
