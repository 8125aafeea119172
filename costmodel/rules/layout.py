"""Making and rearranging tensors.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from xdsl.ir import Operation

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, kernel, tensor_bytes


def move(op: Operation) -> Cost:
    """flops = 0; all operands are read and the results are written. Equation (35)."""
    return kernel(op, 0)


def slice_(op: nn.SliceOp) -> Cost:
    """flops = 0; as much is read as written, not the whole operand. Equation (36)."""
    size = tensor_bytes(op.result)
    return Cost(0, size, size, 1)


def fill(op: nn.FillOp) -> Cost:
    """flops = 0; nothing is read. A scalar stands in its user's code and costs nothing."""
    return Cost(0, 0, tensor_bytes(op.result), 1) if nn.shape_of(op.result) else Cost()


def free(op: Operation) -> Cost:
    """No work: a weight is there before the run (its users read it), a reshape is the same memory. Equation (37)."""
    return Cost()


RULES: Rules = {
    nn.BroadcastOp: move,
    nn.TransposeOp: move,
    nn.ConcatOp: move,
    nn.SplitOp: move,
    nn.ReverseOp: move,
    nn.PadOp: move,
    nn.SliceOp: slice_,
    nn.FillOp: fill,
    nn.WeightOp: free,
    nn.ReshapeOp: free,
}
