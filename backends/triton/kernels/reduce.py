"""Sum, mean, max, min and product along any axes."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false, reportAssignmentType=false

# Branches that a constant decides must end in `else`, or Triton compiles what comes after them as well.

import triton
import triton.language as tl

from .elementwise import broadcast_offset
from .tensors import Tensor, is_empty, reach, require, split_axes

KINDS = ("sum", "mean", "max", "min", "prod")


@triton.jit
def combine(x, y, KIND: tl.constexpr):
    """What `KIND` makes of two elements; not-a-number wins."""
    if KIND == "max":
        return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)
    elif KIND == "min":
        return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)
    elif KIND == "prod":
        return x * y
    else:
        return x + y


@triton.jit
def multiply(x, y):
    return x * y


@triton.jit
def reduced_rows(values, KIND: tl.constexpr):
    """`KIND` along axis 1."""
    if KIND == "max" or KIND == "min":
        # Reductions of the hardware pass over what is not a number.
        strange = tl.sum((values != values).to(tl.int32), 1) > 0  # noqa: PLR0124
        best = tl.max(values, 1) if KIND == "max" else tl.min(values, 1)
        return tl.where(strange, float("nan"), best)
    elif KIND == "prod":
        return tl.reduce(values, 1, multiply)
    else:
        return tl.sum(values, 1)


@triton.jit
def reduce_kernel(
    x, out, factor, each, KIND: tl.constexpr, KEPT: tl.constexpr, N: tl.constexpr, VIEWS: tl.constexpr,
    WIDE: tl.constexpr, BLOCK_KEPT: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """
    One program reduces part p of `each` of the N elements, for BLOCK_KEPT of the KEPT results, to row p of `out`.

    VIEWS are the terms of x along what is kept and along what is reduced. WIDE: offsets of 64 bits.
    """
    tiles = tl.cdiv(KEPT, BLOCK_KEPT)
    kept = tl.program_id(0) % tiles * BLOCK_KEPT + tl.arange(0, BLOCK_KEPT)
    part = tl.program_id(0) // tiles
    columns = tl.arange(0, BLOCK_N)
    exists = kept < KEPT
    if WIDE:
        kept = kept.to(tl.int64)
        columns = columns.to(tl.int64)
    x += broadcast_offset(kept, KEPT, VIEWS, 0)[:, None]
    initial: tl.constexpr = (
        float("-inf") if KIND == "max" else (float("inf") if KIND == "min" else (1.0 if KIND == "prod" else 0.0))
    )
    total = tl.full((BLOCK_KEPT, BLOCK_N), initial, tl.float32)
    first = part * each
    for start in range(first, tl.minimum(first + each, N), BLOCK_N):
        at = start + columns
        inside = exists[:, None] & (at < N)[None, :]
        values = tl.load(x + broadcast_offset(at, N, VIEWS, 1)[None, :], mask=inside, other=initial)
        total = combine(total, values.to(tl.float32), KIND)
    result = reduced_rows(total, KIND) * factor
    tl.store(out + part.to(tl.int64) * KEPT + kept, result.to(out.dtype.element_ty), mask=exists)


def reduce(
    x: Tensor,
    out: Tensor,
    partial: Tensor | None = None,
    *,
    axes: tuple[int, ...],
    kind: str,
    splits: int = 1,
    block_kept: int,
    block_n: int,
    num_warps: int,
) -> None:
    """
    out = sum, mean, max, min or prod of x along `axes`, in float32 until it is written.

        reference: getattr(numpy, kind)(x, axis=axes) in float64

    x is of floats and any strides, `out` has the elements of the other axes in order and is contiguous. With `splits`
    above 1 that many programs share the axes and leave their parts in `partial`, float32 (splits, elements of out).
    The sum of nothing is 0, the mean of nothing not a number; there is no largest of nothing, which is refused.
    """
    require(kind in KINDS, f"`{kind}` is none of {', '.join(KINDS)}")
    require(all(0 <= axis < len(x.size()) for axis in axes), f"there are no axes {axes} in {x.size()}")
    (kept, of_kept), (n, of_axes) = split_axes(x, axes)
    require(kind not in ("max", "min") or n > 0 or kept == 0, f"there is no {kind} of no elements")
    require(splits == 1 or partial is not None, f"{splits} parts need `partial`")
    if is_empty(out):
        return
    last = 1.0 if kind != "mean" else (1.0 / n if n else float("nan"))
    # A part is of whole blocks, so that no two programs take the same elements.
    each = triton.cdiv(triton.cdiv(n, splits), block_n) * block_n
    grid = triton.cdiv(kept, block_kept)
    wide = max(reach(x), n + block_n, kept + block_kept) >= 2**31
    blocks = {"BLOCK_KEPT": block_kept, "num_warps": num_warps}
    reduce_kernel[(grid * splits,)](
        x, out if splits == 1 else partial, last if splits == 1 else 1.0, each, KIND=kind, KEPT=kept, N=n,
        VIEWS=(of_kept, of_axes), WIDE=wide, BLOCK_N=block_n, **blocks,
    )  # fmt: skip
    if splits > 1:
        parts = triton.next_power_of_2(splits)
        reduce_kernel[(grid,)](
            partial, out, last, parts, KIND=kind, KEPT=kept, N=splits,
            VIEWS=((1, kept, 1), (1, splits, kept)), WIDE=wide, BLOCK_N=parts, **blocks,
        )  # fmt: skip
