"""Rows of a table by their indices: embeddings."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, outside, require


@triton.jit
def gather_kernel(
    table, indices, out, count, picked, inner, OUTSIDE: tl.constexpr, BLOCK_ROWS: tl.constexpr, BLOCK_N: tl.constexpr
):
    """One program copies BLOCK_N elements of BLOCK_ROWS rows of one table of `count` rows of `inner` elements."""
    tiles = tl.cdiv(picked, BLOCK_ROWS)
    row = tl.program_id(0) % tiles * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    outer = (tl.program_id(0) // tiles).to(tl.int64)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    index = tl.load(indices + row, mask=row < picked, other=0).to(tl.int64)
    index = tl.where(index < 0, index + count, index)
    inside = (row < picked)[:, None] & (columns < inner)[None, :]
    there = inside & ((index >= 0) & (index < count))[:, None]
    at = table + (outer * count + index)[:, None] * inner + columns[None, :]
    value = tl.load(at, mask=there, other=float("nan") if OUTSIDE is None else OUTSIDE)
    tl.store(out + (outer * picked + row)[:, None] * inner + columns[None, :], value, mask=inside)


def gather(table: Tensor, indices: Tensor, out: Tensor, *, block_rows: int, block_n: int, num_warps: int) -> None:
    """
    out[o, i] = table[o, indices[i]]; an index below 0 counts from the end.

        reference: numpy.take(table, indices, axis=1)

    table is (outer, count, inner), out (outer, picked, inner), indices (picked) of integers, all contiguous. An index
    outside reads nothing and gives what `outside` says.
    """
    outer, count, inner = table.size()
    (picked,) = indices.size()
    require(tuple(out.size()) == (outer, picked, inner), f"out {out.size()} is not {(outer, picked, inner)}")
    if is_empty(out):
        return
    gather_kernel[(outer * triton.cdiv(picked, block_rows), triton.cdiv(inner, block_n))](
        table, indices, out, count, picked, inner, OUTSIDE=outside(out), BLOCK_ROWS=block_rows, BLOCK_N=block_n,
        num_warps=num_warps,
    )  # fmt: skip
