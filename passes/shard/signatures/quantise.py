"""Quantised numbers: axes whose blocks stay whole, with their scales."""

from __future__ import annotations

from ....ir import nn
from .signature import AxisMap, Labels, Rules


def blocks(op: nn.QuantiseOp | nn.DequantiseOp, ranks: int) -> AxisMap:
    """Axes with a scale for each element, for each block of them, or one for all."""
    shape, block = nn.shape_of(op.operands[0]), nn.ints(op.block)
    whole = [of <= 1 or size % of == 0 for size, of in zip(shape, block, strict=True)]
    x: Labels = tuple(f"{i}" if fits else None for i, fits in enumerate(whole))
    scale: Labels = tuple(label if of else None for label, of in zip(x, block, strict=True))
    return AxisMap((x, *[scale] * (len(op.operands) - 1)), (x,))


SIGNATURES: Rules = {nn.QuantiseOp: blocks, nn.DequantiseOp: blocks}
