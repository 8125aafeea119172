"""Several ops as one launch.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost, cost_of
from .kernel import Rules, read_bytes, tensor_bytes


def fusion(op: nn.FusionOp) -> Cost:
    """
    The flops of all ops inside; every operand is read once and the results are written, nothing in between. Weights of
    few bits are read as they are stored.

    Equation (32).
    """
    flops = sum(cost_of(step).flops for step in op.steps)
    read = sum(read_bytes(o) for o in dict.fromkeys(op.operands))
    return Cost(flops, read, sum(tensor_bytes(r) for r in op.results), 1)


RULES: Rules = {nn.FusionOp: fusion}
