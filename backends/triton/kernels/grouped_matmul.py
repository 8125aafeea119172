"""Products of groups of rows, each group with a matrix of its own: the experts of a mixture."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

from collections.abc import Sequence
from typing import Any

import triton
import triton.language as tl

from .products import finish, identity, product, store_tile
from .tensors import (
    Tensor,
    broadcast_strides,
    is_empty,
    matrices,
    require,
    require_narrow,
)


@triton.jit
def grouped_matmul_kernel(
    a, b, group_sizes, out, operands, sizes, a_strides, b_strides, out_strides,
    STRIDES: tl.constexpr, EPILOGUE: tl.constexpr, EVEN_K: tl.constexpr, PRECISION: tl.constexpr,
    GROUPS: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """One program computes a tile of BLOCK_M x BLOCK_N of one group; sizes are (groups, n, k)."""
    groups, n, k = sizes
    tiles_n = tl.cdiv(n, BLOCK_N)
    # Neighbouring programs share the columns of b, since the weights of experts are what is large.
    tile_rows = tl.num_programs(0) // tiles_n
    tile = tl.program_id(0) % tile_rows
    first_column = tl.program_id(0) // tile_rows * BLOCK_N
    # Which group the tile is of: each group has tiles of its own, the last one ragged.
    all_groups = tl.arange(0, GROUPS)
    members = tl.load(group_sizes + all_groups, mask=all_groups < groups, other=0).to(tl.int32)
    tiles = tl.cdiv(members, BLOCK_M)
    group = tl.sum((tl.cumsum(tiles, 0) <= tile).to(tl.int32), 0)
    if group < groups:
        first_row = (tile - tl.sum(tl.where(all_groups < group, tiles, 0), 0)) * BLOCK_M
        start = tl.sum(tl.where(all_groups < group, members, 0), 0)
        end = start + tl.sum(tl.where(all_groups == group, members, 0), 0)
        first_row += start
        a += first_row.to(tl.int64) * a_strides[0]
        b += group.to(tl.int64) * b_strides[0] + first_column.to(tl.int64) * b_strides[2]
        total = product(
            a, b, end - first_row, n - first_column, k, a_strides, (b_strides[1], b_strides[2]),
            EVEN_K, PRECISION, BLOCK_M, BLOCK_N, BLOCK_K,
        )  # fmt: skip
        total = finish(total, operands, group * 0, first_row, first_column, end, n, STRIDES, EPILOGUE)
        store_tile(out, total, first_row, first_column, end, n, out_strides[0], out_strides[1])


def grouped_matmul(
    a: Tensor,
    b: Tensor,
    group_sizes: Tensor,
    out: Tensor,
    operands: Sequence[Tensor] = (),
    epilogue: Any = identity,
    *,
    block_m: int,
    block_n: int,
    block_k: int,
    num_warps: int,
    num_stages: int,
    precision: str = "ieee",
) -> None:
    """
    Rows of `out` are epilogue(rows of a times the matrix of their group, *operands).

        reference: for g in range(groups): out[start[g]:end[g]] = epilogue(a[start[g]:end[g]] @ b[g], *operands)
        with end = cumsum(group_sizes), start = end - group_sizes, in float64

    a is (rows, k) with the rows of each group together, b (groups, k, n), of any strides; `group_sizes` (groups), of
    integers that are read on the device, adds up to `rows`; out is (rows, n) and each operand broadcasts to it.
    """
    (_, rows, k), a_strides = matrices(a, "a")
    (groups, k_b, n), b_strides = matrices(b, "b")
    _, out_strides = matrices(out, "out")
    require(k == k_b and tuple(out.size()) == (rows, n), f"{a.size()} by {b.size()} does not give {out.size()}")
    require(tuple(group_sizes.size()) == (groups,), f"{group_sizes.size()} is not a size for each of {groups} groups")
    if is_empty(out):
        return
    require_narrow("a", block_m * a_strides[1] + block_k * a_strides[2])
    require_narrow("b", block_k * b_strides[1] + block_n * b_strides[2])
    # At most one tile of each group that has rows is not full.
    tiles = triton.cdiv(rows, block_m) + min(groups, rows)
    grouped_matmul_kernel[(tiles * triton.cdiv(n, block_n),)](
        a, b, group_sizes, out, tuple(operands), (groups, n, k), a_strides[1:], b_strides, out_strides[1:],
        STRIDES=tuple(broadcast_strides(operand, (1, rows, n)) for operand in operands), EPILOGUE=epilogue,
        EVEN_K=k % block_k == 0, PRECISION=precision, GROUPS=triton.next_power_of_2(groups),
        BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, num_warps=num_warps, num_stages=num_stages,
    )  # fmt: skip
