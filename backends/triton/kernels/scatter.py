"""Rows of a table replaced or added to by their indices, and single elements picked by theirs."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from math import prod

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, outside, require


@triton.jit
def scatter_kernel(
    table, indices, updates, count, picked, inner, ADD: tl.constexpr, FLOATS: tl.constexpr, BLOCK_N: tl.constexpr
):
    """One program takes BLOCK_N elements of the rows that are written in one table, in order: sums are always alike."""
    outer = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    for row in range(picked):
        index = tl.load(indices + row).to(tl.int64)
        index = tl.where(index < 0, index + count, index)
        there = columns < tl.where((index >= 0) & (index < count), inner, 0)
        at = table + (outer * count + index) * inner + columns
        value = tl.load(updates + (outer * picked + row) * inner + columns, mask=there)
        if ADD:
            before = tl.load(at, mask=there)
            value = value.to(tl.float32) + before.to(tl.float32) if FLOATS else value + before
        tl.store(at, value.to(table.dtype.element_ty), mask=there)


def scatter(
    table: Tensor, indices: Tensor, updates: Tensor, *, add: bool, floats: bool, block_n: int, num_warps: int
) -> None:
    """
    table[o, indices[i]] = updates[o, i], or += if `add`; an index below 0 counts from the end.

        reference: numpy.add.at(table, (slice(None), indices), updates) or an assignment

    table is (outer, count, inner), updates (outer, picked, inner), indices (picked) of integers, all contiguous. An
    index outside writes nothing. Sums are in float32 if `floats`, else in their own type.
    """
    outer, count, inner = table.size()
    (picked,) = indices.size()
    require(
        tuple(updates.size()) == (outer, picked, inner), f"updates {updates.size()} are not {(outer, picked, inner)}"
    )
    if is_empty(updates):
        return
    scatter_kernel[(outer, triton.cdiv(inner, block_n))](
        table, indices, updates, count, picked, inner, ADD=add, FLOATS=floats, BLOCK_N=block_n, num_warps=num_warps
    )


@triton.jit
def gather_elements_kernel(
    x, indices, out, SIZE: tl.constexpr, COUNT: tl.constexpr, PICKED: tl.constexpr, INNER: tl.constexpr,
    OUTSIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program picks BLOCK of SIZE elements."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < SIZE
    index = tl.load(indices + at, mask=inside, other=0).to(tl.int64)
    index = tl.where(index < 0, index + COUNT, index)
    there = inside & (index >= 0) & (index < COUNT)
    place = x + (at // (PICKED * INNER) * COUNT + index) * INNER + at % INNER
    value = tl.load(place, mask=there, other=float("nan") if OUTSIDE is None else OUTSIDE)
    tl.store(out + at, value, mask=inside)


def gather_elements(x: Tensor, indices: Tensor, out: Tensor, *, block: int, num_warps: int) -> None:
    """
    out[o, j, i] = x[o, indices[o, j, i], i]; an index below 0 counts from the end.

        reference: numpy.take_along_axis(x, indices, axis=1)

    x is (outer, count, inner), indices and out are (outer, picked, inner), all contiguous. An index outside reads
    nothing and gives what `outside` says.
    """
    outer, count, inner = x.size()
    sizes = tuple(indices.size())
    fits = tuple(out.size()) == sizes and (sizes[0], sizes[2]) == (outer, inner)
    require(fits, f"indices {sizes} and out {out.size()} do not fit {x.size()}")
    if is_empty(out):
        return
    size = prod(sizes)
    gather_elements_kernel[(triton.cdiv(size, block),)](
        x, indices, out, SIZE=size, COUNT=count, PICKED=sizes[1], INNER=inner, OUTSIDE=outside(out), BLOCK=block,
        num_warps=num_warps,
    )  # fmt: skip
