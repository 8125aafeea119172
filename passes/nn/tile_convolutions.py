"""`tile-convolutions`: a large convolution as several over fewer filters or fewer rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import SSAValue

from ...ir import nn
from .draft import Draft, Replacement, sweep
from .nn_pass import NnPass
from .tile_products import cut, joined, pieces


@dataclass(frozen=True)
class TileConvolutionsPass(NnPass):
    """
    Splits every convolution into ones of at most `filters` filters and `rows` rows of the result; 0 leaves them whole.

    before: %y = "nn.conv"(%x, %w)
    after:  for each run of filters and rows: %p = "nn.conv"(rows of %x that it sees, filters of %w)
            %y = concat along filters, then along rows

    Promise: `main` computes the same sums in the same order; each part pads only where it touches an end of the image.
    The new ops have the location of the convolution. The sizes are decided elsewhere, as for `tile-products`.
    """

    name: ClassVar[str] = "tile-convolutions"
    filters: int = 0
    rows: int = 0

    def rewrite(self, draft: Draft) -> None:
        def split(op: nn.ConvOp, draft: Draft) -> Replacement:
            return tiled(op, self.filters, self.rows, draft)

        sweep(draft, {nn.ConvOp: [("tile-convolution", split)]})


def can_tile(op: nn.ConvOp, filters: int) -> bool:
    """
    Whether `op` can be split.

    (L1) Its filters and rows are known. (L2) A convolution in groups is split along rows alone: filters of one group
    see its channels and no others.
    """
    known = not any(
        isinstance(n, nn.Size) for n in (*nn.shape_of(op.w), nn.shape_of(op.x)[2], nn.shape_of(op.result)[2])
    )
    return known and (nn.integer(op.groups) == 1 or not 0 < filters < nn.shape_of(op.w)[0])


def tiled(op: nn.ConvOp, filters: int, rows: int, draft: Draft) -> Replacement:
    """The convolution in parts; None where it is no larger than one."""
    if not can_tile(op, filters):
        return None
    runs, bands = pieces(nn.shape_of(op.w)[0], filters), pieces(nn.shape_of(op.result)[2], rows)
    if len(runs) == len(bands) == 1:
        return None
    parts = []
    for band in bands:
        x, pads = _seen_by(op, band, draft)
        line = [_part(op, x, pads, run, draft) for run in runs]
        parts.append(joined(op, line, 1, draft))
    return [joined(op, parts, 2, draft)]


def _seen_by(op: nn.ConvOp, band: range, draft: Draft) -> tuple[SSAValue, list[int]]:
    """The rows of the input that the rows `band` of the result see, and the pads that are left for them."""
    height, dims = nn.shape_of(op.x)[2], len(nn.shape_of(op.x)) - 2
    pads, stride = list(nn.ints(op.pads)), nn.ints(op.strides)[0]
    window = nn.ints(op.dilations)[0] * (nn.shape_of(op.w)[2] - 1) + 1
    first = band.start * stride - pads[0]
    last = (band.stop - 1) * stride - pads[0] + window
    start, stop = min(max(first, 0), height), min(max(last, 0), height)
    pads[0], pads[dims] = max(start - first, 0), max(last - stop, 0)
    return cut(op, op.x, 2, range(start, stop), draft), pads


def _part(op: nn.ConvOp, x: SSAValue, pads: list[int], run: range, draft: Draft) -> SSAValue:
    w = cut(op, op.w, 0, run, draft)
    bias = None if op.bias is None else cut(op, op.bias, 0, run, draft)
    window = {"strides": op.strides, "dilations": op.dilations, "groups": op.groups}
    return draft.emit(op, nn.ConvOp, x, w, bias, pads=pads, **window)
