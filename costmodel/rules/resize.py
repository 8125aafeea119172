"""Interpolation.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel

TAPS = {"nearest": 0, "linear": 2, "cubic": 4}
"""Mode -> elements that one axis weighs for each of the result; the nearest one is only moved."""


def resize(op: nn.ResizeOp) -> Cost:
    """
    flops = outputs x (2 t^d - 1) for t elements along each of d axes, all weighed at once by weights that are known
    beforehand: t^d multiplications and one addition fewer. XLA weighs one axis after another, by matrix products.
    Equation (25).
    """
    taps = TAPS[op.mode.data] ** len(nn.ints(op.axes))
    return kernel(op, elements(op.result) * max(2 * taps - 1, 0))


RULES: Rules = {nn.ResizeOp: resize}
