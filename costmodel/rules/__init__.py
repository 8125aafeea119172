"""
The work of each nn op, one file for each file of `ir/nn`.

Conventions, for all rules: flops are dense, a multiplication and an addition are two, and every scalar function counts
one, whatever its hardware takes (as in XLA's `HloCostAnalysis`, which counts transcendental functions apart); those
made of others, as GELU, count as many as they are made of, and integer operations as floating-point ones. Each operand
is read once and the result written once, at its own size before broadcasting: what a kernel with perfect reuse moves,
so a lower bound. One op is one launch; views and values known beforehand are none.
"""

from . import (
    attention,
    collectives,
    experts,
    fusion,
    indexing,
    layout,
    norms,
    products,
    quantise,
    reductions,
    resize,
    scalars,
    transfers,
    windows,
)
from .kernel import Rules, elements, tensor_bytes

RULES: Rules = {
    **collectives.RULES,
    **scalars.RULES,
    **windows.RULES,
    **products.RULES,
    **reductions.RULES,
    **norms.RULES,
    **layout.RULES,
    **indexing.RULES,
    **resize.RULES,
    **attention.RULES,
    **experts.RULES,
    **quantise.RULES,
    **transfers.RULES,
    **fusion.RULES,
}
"""Op class -> its rule."""

__all__ = ["RULES", "elements", "tensor_bytes"]
