"""Canonical forms of what has no elements: nothing is computed, so that no backend needs a rule for it."""

from __future__ import annotations

from math import inf, prod
from typing import Any

from xdsl.ir import SSAValue

from ...ir import nn
from .draft import Draft, Pattern, Patterns, Replacement

KEPT = (nn.FillOp, nn.WeightOp, nn.CollectiveOp, nn.TransferOp)
"""ops that stay where their results have no elements: they make a tensor, or say where it goes"""


def nothing_as_fill(op: Any, draft: Draft) -> Replacement:
    """
    before: %y = "nn.conv"(%x, %w) : (tensor<0x3x4x4xf32>, tensor<2x3x3x3xf32>) -> tensor<0x2x2x2xf32>
    after:  %y = "nn.fill"() {value = 0.0} : () -> tensor<0x2x2x2xf32>

    (L1) No result has an element.
    """
    if not all(is_empty(result) for result in op.results):
        return None
    return [draft.emit(op, nn.FillOp, type=result.type, value=0.0) for result in op.results]


def extreme_of_nothing(op: nn.ReduceOp, draft: Draft) -> Replacement:
    """
    before: %m = "nn.reduce"(%x) {kind = "max", axes = array<i64: 1>} : (tensor<3x0xf32>) -> tensor<3x1xf32>
    after:  %m = "nn.fill"() {value = -inf} : () -> tensor<3x1xf32>

    (L1) Nothing is reduced. The result is what changes no other maximum: of floats an infinity, of truth values no or
    yes, of integers the least or the greatest.
    """
    if op.kind.data not in ("max", "min") or not is_empty(op.x):
        return None
    element = op.type.element_type
    least, greatest = (-inf, inf) if nn.is_float(element) else nn.integer_range(element)
    return [draft.emit(op, nn.FillOp, type=op.type, value=float(least if op.kind.data == "max" else greatest))]


def is_empty(value: SSAValue) -> bool:
    """Whether it has no elements, whatever its open sizes are."""
    size = prod(nn.shape_of(value))
    return not isinstance(size, nn.Size) and size == 0


_NOTHING: tuple[str, Pattern] = ("nothing-as-fill", nothing_as_fill)
PATTERNS: Patterns = {
    **{kind: [_NOTHING] for kind in nn.OPS if not issubclass(kind, KEPT)},
    nn.ReduceOp: [_NOTHING, ("extreme-of-nothing", extreme_of_nothing)],
}
