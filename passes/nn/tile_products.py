"""`tile-products`: a large matrix product as several smaller ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Replacement, sweep
from .nn_pass import NnPass


@dataclass(frozen=True)
class TileProductsPass(NnPass):
    """
    Splits every matrix product into products of at most `m` rows, `n` columns and `k` summands; 0 leaves an axis whole.

    before: %y = "nn.matmul"(%a, %b)
    after:  for each tile: %p = "nn.matmul"(rows of %a, columns of %b), added up over k
            %y = concat of the columns, then of the rows

    Promise: `main` computes the same but for the order of sums, and does the same flops in products; the last tile of
    an axis may be smaller. The new ops have the location of the product. The sizes are decided elsewhere: by itself
    it never pays, but the parts can go to several devices, or fit where the whole does not.
    """

    name: ClassVar[str] = "tile-products"
    m: int = 0
    n: int = 0
    k: int = 0

    def rewrite(self, draft: Draft) -> None:
        def split(op: nn.MatmulOp, draft: Draft) -> Replacement:
            return tiled(op, (self.m, self.n, self.k), draft)

        sweep(draft, {nn.MatmulOp: [("tile-product", split)]})


def can_tile(op: nn.MatmulOp) -> bool:
    """
    Whether `op` can be split.

    (L1) Its rows, columns and summands are known.
    """
    sizes = (*nn.shape_of(op.result)[-2:], nn.shape_of(op.a)[-1])
    return not any(isinstance(size, nn.Size) for size in sizes)


def tiled(op: nn.MatmulOp, most: tuple[int, int, int], draft: Draft) -> Replacement:
    """The product as tiles of at most `most` rows, columns and summands; None where it is no larger."""
    if not can_tile(op):
        return None
    (rows, columns), inner = nn.shape_of(op.result)[-2:], nn.shape_of(op.a)[-1]
    cuts = [pieces(size, limit) for size, limit in zip((rows, columns, inner), most, strict=True)]
    if all(len(cut) == 1 for cut in cuts):
        return None
    rank = len(nn.shape_of(op.result))
    lines = []
    for row in cuts[0]:
        line = [_tile(op, row, column, cuts[2], draft) for column in cuts[1]]
        lines.append(joined(op, line, rank - 1, draft))
    return [joined(op, lines, rank - 2, draft)]


def _tile(op: nn.MatmulOp, row: range, column: range, inner: list[range], draft: Draft) -> SSAValue:
    """One tile of the result: products over each run of summands, added in order."""
    a, b = len(nn.shape_of(op.a)), len(nn.shape_of(op.b))
    parts: list[SSAValue] = []
    for summands in inner:
        left = cut(op, cut(op, op.a, a - 2, row, draft), a - 1, summands, draft)
        right = cut(op, cut(op, op.b, b - 2, summands, draft), b - 1, column, draft)
        parts.append(draft.emit(op, nn.MatmulOp, left, right))
    return summed(parts, lambda x, y: draft.emit(op, nn.AddOp, x, y))


def pieces(size: int, most: int) -> list[range]:
    """An axis of `size` as runs of at most `most` (0: the whole)."""
    step = most if 0 < most < size else max(size, 1)
    return [range(start, min(start + step, size)) for start in range(0, max(size, 1), step)]


def cut(op: Operation, x: SSAValue, axis: int, places: range, draft: Draft) -> SSAValue:
    """The elements of `x` at `places` of `axis`; `x` itself where that is all."""
    shape = nn.shape_of(x)
    if len(places) == shape[axis]:
        return x
    starts, limits = [0] * len(shape), [nn.END] * len(shape)
    starts[axis], limits[axis] = places.start, places.stop
    return draft.emit(op, nn.SliceOp, x, starts=starts, limits=limits)


def joined(op: Operation, parts: list[SSAValue], axis: int, draft: Draft) -> SSAValue:
    """The parts one after another along `axis`."""
    return parts[0] if len(parts) == 1 else draft.emit(op, nn.ConcatOp, *parts, axis=axis)


def summed(parts: list[SSAValue], add: Callable[[SSAValue, SSAValue], SSAValue]) -> SSAValue:
    """The sum of the parts, in order."""
    total = parts[0]
    for part in parts[1:]:
        total = add(total, part)
    return total
