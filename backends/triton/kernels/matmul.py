"""The product of matrices, or of a batch of them, with an epilogue fused behind it."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

from collections.abc import Sequence
from typing import Any

import triton
import triton.language as tl

from .products import finish, identity, place_of_tile, product, store_tile
from .tensors import (
    Tensor,
    broadcast_strides,
    is_empty,
    matrices,
    require,
    require_narrow,
)


@triton.jit
def matmul_kernel(
    a, b, out, operands, sizes, a_strides, b_strides, out_strides,
    STRIDES: tl.constexpr, EPILOGUE: tl.constexpr, EVEN_K: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """One program computes a tile of BLOCK_M x BLOCK_N; sizes are (m, n, k), strides (batch, row, column)."""
    m, n, k = sizes
    tiles_m = tl.cdiv(m, BLOCK_M)
    tiles_n = tl.cdiv(n, BLOCK_N)
    batch = tl.program_id(0) // (tiles_m * tiles_n)
    row, column = place_of_tile(tl.program_id(0) % (tiles_m * tiles_n), tiles_m, tiles_n, GROUP)
    first_row = row * BLOCK_M
    first_column = column * BLOCK_N
    a += batch.to(tl.int64) * a_strides[0] + first_row.to(tl.int64) * a_strides[1]
    b += batch.to(tl.int64) * b_strides[0] + first_column.to(tl.int64) * b_strides[2]
    total = product(
        a, b, m - first_row, n - first_column, k, (a_strides[1], a_strides[2]), (b_strides[1], b_strides[2]),
        EVEN_K, PRECISION, BLOCK_M, BLOCK_N, BLOCK_K,
    )  # fmt: skip
    total = finish(total, operands, batch, first_row, first_column, m, n, STRIDES, EPILOGUE)
    out += batch.to(tl.int64) * out_strides[0]
    store_tile(out, total, first_row, first_column, m, n, out_strides[1], out_strides[2])


def matmul(
    a: Tensor,
    b: Tensor,
    out: Tensor,
    operands: Sequence[Tensor] = (),
    epilogue: Any = identity,
    *,
    block_m: int,
    block_n: int,
    block_k: int,
    num_warps: int,
    num_stages: int,
    group: int = 8,
    precision: str = "ieee",
) -> None:
    """
    out = epilogue(a b, *operands), in float32 until `out` is written.

        reference: epilogue(a.astype(float64) @ b.astype(float64), *operands)

    a is (m, k) or (batch, m, k), b (k, n) or (batch, k, n), either of any strides and with a batch of 1 broadcast; out
    is (m, n) or (batch, m, n), and each operand broadcasts to it: a bias (n), a scale (m, 1), a residual (m, n).
    `epilogue` is a jitted function of one element, in float32. Blocks are powers of two, of 16 at least. `group` rows
    of tiles share the columns of b in the L2 cache; `precision` is that of products of float32.
    """
    (batch_a, m, k), a_strides = matrices(a, "a")
    (batch_b, k_b, n), b_strides = matrices(b, "b")
    shape, out_strides = matrices(out, "out")
    require(k == k_b and shape[1:] == (m, n), f"{a.size()} by {b.size()} does not give {out.size()}")
    require({batch_a, batch_b} <= {1, shape[0]}, f"batches of {batch_a} and {batch_b} do not give {shape[0]}")
    if is_empty(out):
        return
    require_narrow("a", block_m * a_strides[1] + block_k * a_strides[2])
    require_narrow("b", block_k * b_strides[1] + block_n * b_strides[2])
    grid = (shape[0] * triton.cdiv(m, block_m) * triton.cdiv(n, block_n),)
    matmul_kernel[grid](
        a, b, out, tuple(operands), (m, n, k), a_strides, b_strides, out_strides,
        STRIDES=tuple(broadcast_strides(operand, shape) for operand in operands), EPILOGUE=epilogue,
        EVEN_K=k % block_k == 0, PRECISION=precision,
        BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, GROUP=group, num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
