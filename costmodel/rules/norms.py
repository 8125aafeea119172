"""Normalisation.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from math import prod

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel


def batch_norm(op: nn.BatchNormOp) -> Cost:
    """
    flops = 2 n c ... + 5 c: a scale and a shift of each element, after working them out for each channel
    (add epsilon, 1 / sqrt, times scale; times mean, from bias). Equation (16).
    """
    return kernel(op, 2 * elements(op.result) + 5 * elements(op.scale))


def layer_norm(op: nn.LayerNormOp) -> Cost:
    """
    flops = 5 e + 2 r for e elements in r rows, and e more for a scale and for a bias each: the mean (e: a division
    takes the place of one addition), from each element (e), squares (e) and their mean (e), epsilon and 1 / sqrt
    (2 r), times it (e). Equation (17).
    """
    return _normal(op, 5, len(op.operands) - 1, nn.integer(op.axis))


def rms_norm(op: nn.RmsNormOp) -> Cost:
    """
    flops = 3 e + 2 r, and e more with a scale: square and mean (2 e), epsilon and 1 / sqrt (2 r), times it (e).

    Equation (18).
    """
    return _normal(op, 3, len(op.operands) - 1, nn.integer(op.axis))


def _normal(op: nn.LayerNormOp | nn.RmsNormOp, each: int, more: int, axis: int) -> Cost:
    rows = prod(nn.shape_of(op.x)[:axis])
    return kernel(op, (each + more) * elements(op.x) + 2 * rows)


def group_norm(op: nn.GroupNormOp) -> Cost:
    """
    flops = 7 e + 2 n groups for e elements: as a layer norm over the elements of each group, with scale and bias.

    Equation (19).
    """
    rows = nn.shape_of(op.x)[0] * nn.integer(op.groups)
    return kernel(op, 7 * elements(op.x) + 2 * rows)


RULES: Rules = {
    nn.BatchNormOp: batch_norm,
    nn.LayerNormOp: layer_norm,
    nn.RmsNormOp: rms_norm,
    nn.GroupNormOp: group_norm,
}
