"""The product of matrices of fp8, with a scale for each block of either."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

from collections.abc import Sequence
from typing import Any

import triton
import triton.language as tl

from .products import finish, identity, place_of_tile, store_tile
from .tensors import (
    Tensor,
    broadcast_strides,
    is_empty,
    matrices,
    require,
    require_narrow,
)


@triton.jit
def fp8_matmul_kernel(
    a, b, a_scale, b_scale, out, operands, sizes, a_strides, b_strides, a_scale_strides, b_scale_strides, out_strides,
    STRIDES: tl.constexpr, EPILOGUE: tl.constexpr, EVEN_K: tl.constexpr,
    A_ROWS: tl.constexpr, B_COLUMNS: tl.constexpr, SCALE_K: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """One program computes a tile of BLOCK_M x BLOCK_N; sizes are (m, n, k), strides (row, column)."""
    m, n, k = sizes
    tiles_m = tl.cdiv(m, BLOCK_M)
    tiles_n = tl.cdiv(n, BLOCK_N)
    row, column = place_of_tile(tl.program_id(0), tiles_m, tiles_n, GROUP)
    rows = row * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = column * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, BLOCK_K)
    a += (row * BLOCK_M).to(tl.int64) * a_strides[0]
    b += (column * BLOCK_N).to(tl.int64) * b_strides[1]
    a_at = a + tl.arange(0, BLOCK_M)[:, None] * a_strides[0] + inner[None, :] * a_strides[1]
    b_at = b + inner[:, None] * b_strides[0] + tl.arange(0, BLOCK_N)[None, :] * b_strides[1]
    a_scale += (rows // A_ROWS).to(tl.int64) * a_scale_strides[0]
    b_scale += (columns // B_COLUMNS).to(tl.int64) * b_scale_strides[1]
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for start in range(0, k, BLOCK_K):
        a_mask = rows[:, None] < m
        b_mask = columns[None, :] < n
        if not EVEN_K:
            a_mask &= inner[None, :] < k - start
            b_mask &= inner[:, None] < k - start
        a_tile = tl.load(a_at, mask=a_mask, other=0.0)
        b_tile = tl.load(b_at, mask=b_mask, other=0.0)
        # A partial sum for each BLOCK_K also bounds the error of tensor cores that keep few bits of sums of fp8.
        part = tl.dot(a_tile, b_tile)
        block = start // SCALE_K
        of_rows = tl.load(a_scale + block * a_scale_strides[1], mask=rows < m, other=0.0)
        of_columns = tl.load(b_scale + block * b_scale_strides[0], mask=columns < n, other=0.0)
        total += part * (of_rows[:, None] * of_columns[None, :])
        a_at += BLOCK_K * a_strides[1]
        b_at += BLOCK_K * b_strides[0]
    total = finish(total, operands, row * 0, row * BLOCK_M, column * BLOCK_N, m, n, STRIDES, EPILOGUE)
    store_tile(out, total, row * BLOCK_M, column * BLOCK_N, m, n, out_strides[0], out_strides[1])


def fp8_matmul(
    a: Tensor,
    b: Tensor,
    a_scale: Tensor,
    b_scale: Tensor,
    out: Tensor,
    operands: Sequence[Tensor] = (),
    epilogue: Any = identity,
    *,
    scale_block: tuple[int, int, int],
    block_m: int,
    block_n: int,
    block_k: int,
    num_warps: int,
    num_stages: int,
    group: int = 8,
) -> None:
    """
    out = epilogue((a * a_scale) (b * b_scale), *operands) for a (m, k) and b (k, n) of fp8, in float32 until written.

        reference: epilogue((a * spread(a_scale)) @ (b * spread(b_scale)), *operands) in float64, where spread repeats
        each scale over its block

    `scale_block` is (rows, columns, inner): a_scale (cdiv(m, rows), cdiv(k, inner)) has a float32 for each block of
    rows x inner of a, b_scale (cdiv(k, inner), cdiv(n, columns)) one for each of inner x columns of b. (m, n, k) is
    one scale a tensor, (1, 1, k) one a row and a column, (1, 128, 128) that of DeepSeek-V3 (arXiv:2412.19437, section
    3.3.2). `block_k` divides `inner`, or inner is k or more.
    """
    (_, m, k), a_strides = matrices(a, "a")
    (_, k_b, n), b_strides = matrices(b, "b")
    _, out_strides = matrices(out, "out")
    require(k == k_b and tuple(out.size()) == (m, n), f"{a.size()} by {b.size()} does not give {out.size()}")
    rows, columns, inner = (max(1, size) for size in scale_block)
    blocks = (triton.cdiv(m, rows), triton.cdiv(k, inner)), (triton.cdiv(k, inner), triton.cdiv(n, columns))
    found = tuple(a_scale.size()), tuple(b_scale.size())
    require(found == blocks, f"scales of shapes {found} do not fit blocks of {scale_block}, which need {blocks}")
    require(inner >= k or inner % block_k == 0, f"block_k {block_k} does not divide the {inner} that share a scale")
    if is_empty(out):
        return
    require_narrow("a", block_m * a_strides[1] + block_k * a_strides[2])
    require_narrow("b", block_k * b_strides[1] + block_n * b_strides[2])
    fp8_matmul_kernel[(triton.cdiv(m, block_m) * triton.cdiv(n, block_n),)](
        a, b, a_scale, b_scale, out, tuple(operands), (m, n, k), a_strides[1:], b_strides[1:],
        tuple(a_scale.stride()), tuple(b_scale.stride()), out_strides[1:],
        STRIDES=tuple(broadcast_strides(operand, (1, m, n)) for operand in operands), EPILOGUE=epilogue,
        EVEN_K=k % block_k == 0, A_ROWS=rows, B_COLUMNS=columns, SCALE_K=inner,
        BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, GROUP=group, num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
