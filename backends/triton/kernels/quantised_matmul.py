"""
The product with a matrix of weights of 1 to 8 bits, which are unpacked in registers.

`packing` says how they lie.
"""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from collections.abc import Sequence
from typing import Any

import triton
import triton.language as tl

from .packing import WORD
from .products import dot, finish, identity, place_of_tile, store_tile
from .tensors import (
    Tensor,
    broadcast_strides,
    is_empty,
    matrices,
    require,
    require_narrow,
)


@triton.jit
def unpack_plane(
    words, start, n, words_per_bit, row_stride, LOW: tl.constexpr, WIDTH: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """WIDTH bits of each code, at the place of bit LOW of the code; the planes before this one take LOW bits a code."""
    PER_WORD: tl.constexpr = 32 // WIDTH
    columns = tl.arange(0, BLOCK_N)
    rows = LOW * words_per_bit + start // PER_WORD + tl.arange(0, BLOCK_K // PER_WORD)
    at = words + rows[:, None] * row_stride + columns[None, :]
    inside = (rows[:, None] < (LOW + WIDTH) * words_per_bit) & (columns[None, :] < n)
    word = tl.load(at, mask=inside, other=0)
    word = tl.reshape(tl.broadcast_to(word[:, None, :], (BLOCK_K // PER_WORD, PER_WORD, BLOCK_N)), (BLOCK_K, BLOCK_N))
    shift = tl.arange(0, BLOCK_K) % PER_WORD * WIDTH
    return ((word >> shift[:, None]) & ((1 << WIDTH) - 1)) << LOW


@triton.jit
def unpack(
    words, start, n, words_per_bit, row_stride, BITS: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr
):
    """The codes of rows start to start + BLOCK_K, int32; `words` points at the first column of the tile, n are left."""
    codes = tl.zeros((BLOCK_K, BLOCK_N), tl.int32)
    for i in tl.static_range(4):
        if BITS & (8 >> i):
            # The wider planes lie before this one, and hold the lower bits of a code.
            codes |= unpack_plane(
                words, start, n, words_per_bit, row_stride, BITS >> (4 - i) << (4 - i), 8 >> i, BLOCK_K, BLOCK_N
            )
    return codes


@triton.jit
def quantised_matmul_kernel(
    a, words, scale, zero, out, operands, sizes, a_strides, words_stride, scale_stride, out_strides,
    STRIDES: tl.constexpr, EPILOGUE: tl.constexpr, PRECISION: tl.constexpr, BITS: tl.constexpr, SHARED_K: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """One program computes a tile of BLOCK_M x BLOCK_N; sizes are (m, n, k), strides (row, column)."""
    m, n, k = sizes
    row, column = place_of_tile(tl.program_id(0), tl.cdiv(m, BLOCK_M), tl.cdiv(n, BLOCK_N), GROUP)
    rows = row * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    left = n - column * BLOCK_N
    a_at = a + (row * BLOCK_M).to(tl.int64) * a_strides[0]
    a_at += tl.arange(0, BLOCK_M)[:, None] * a_strides[0] + inner[None, :] * a_strides[1]
    first = (column * BLOCK_N).to(tl.int64)
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, k, BLOCK_K):
        a_mask = (rows[:, None] < m) & (inner[None, :] < k - start)
        a_tile = tl.load(a_at, mask=a_mask, other=0.0)
        codes = unpack(words + first, start, left, tl.cdiv(k, 32), words_stride, BITS, BLOCK_K, BLOCK_N)
        if SHARED_K % BLOCK_K == 0:
            group = start // SHARED_K + tl.zeros((1, 1), tl.int32)
        else:
            group = (start + inner[:, None]) // SHARED_K
        at = first + group.to(tl.int64) * scale_stride + columns[None, :]
        inside = (group * SHARED_K < k) & (columns[None, :] < left)
        factor = tl.load(scale + at, mask=inside, other=0.0).to(tl.float32)
        middle = tl.load(zero + at, mask=inside, other=0.0).to(tl.float32)
        weights = (codes.to(tl.float32) - middle) * factor
        # Padding has codes too, and a weight that is not finite must not meet the zeros of a there.
        weights = tl.where(inner[:, None] < k - start, weights, 0.0)
        total = dot(a_tile, weights.to(a.dtype.element_ty), total, PRECISION)
        a_at += BLOCK_K * a_strides[1]
    total = finish(total, operands, row * 0, row * BLOCK_M, column * BLOCK_N, m, n, STRIDES, EPILOGUE)
    store_tile(out, total, row * BLOCK_M, column * BLOCK_N, m, n, out_strides[0], out_strides[1])


def quantised_matmul(
    a: Tensor,
    words: Tensor,
    scale: Tensor,
    zero: Tensor,
    out: Tensor,
    operands: Sequence[Tensor] = (),
    epilogue: Any = identity,
    *,
    bits: int,
    shared_k: int,
    block_m: int,
    block_n: int,
    block_k: int,
    num_warps: int,
    num_stages: int,
    group: int = 8,
    precision: str = "ieee",
) -> None:
    """
    out = epilogue(a ((codes - zero) scale), *operands) for codes of `bits` bits, packed by `packing` into `words`.

        reference: epilogue(a @ ((codes - repeat(zero)) * repeat(scale)), *operands) in float64, where repeat repeats a
        row `shared_k` times

    a is (m, k), `scale` and `zero`, both row-major, are (cdiv(k, shared_k), n): a group of `shared_k` codes along k
    shares them. `block_k` is a multiple of 32. Weights are rounded to the type of a before they are multiplied.
    """
    (_, m, k), a_strides = matrices(a, "a")
    _, out_strides = matrices(out, "out")
    rows, n = out.size()
    packed, shared = (bits * triton.cdiv(k, WORD), n), (triton.cdiv(k, max(1, shared_k)), n)
    require(1 <= bits <= 8 and tuple(words.size()) == packed, f"words {words.size()} are not {packed} of {bits} bits")
    fits = tuple(scale.size()) == shared == tuple(zero.size()) and rows == m
    require(fits, f"scale {scale.size()} and zero {zero.size()} are not {shared}, or {out.size()} not ({m}, {n})")
    require(block_k % WORD == 0, f"block_k {block_k} is no multiple of {WORD}")
    if is_empty(out):
        return
    require_narrow("a", block_m * a_strides[1] + block_k * a_strides[2])
    require_narrow("words", packed[0] * n)
    quantised_matmul_kernel[(triton.cdiv(m, block_m) * triton.cdiv(n, block_n),)](
        a, words, scale, zero, out, tuple(operands), (m, n, k), a_strides[1:], n, n, out_strides[1:],
        STRIDES=tuple(broadcast_strides(operand, (1, m, n)) for operand in operands), EPILOGUE=epilogue,
        PRECISION=precision, BITS=bits, SHARED_K=max(1, shared_k),
        BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, GROUP=group, num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
