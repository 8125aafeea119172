"""Reading and writing by index.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, makes_weight_wide, read_bytes, tensor_bytes


def gather(op: nn.GatherOp | nn.GatherElementsOp) -> Cost:
    """
    flops = 0; the indices are read, and of the input as much as is written, not the whole of it. Equation (23).

    Of a weight of few bits, what is stored of that part.
    """
    size = tensor_bytes(op.result)
    stored = read_bytes(op.x) / tensor_bytes(op.x) if makes_weight_wide(op.x.owner) else 1
    return Cost(0, tensor_bytes(op.indices) + size * stored, size, 1)


def scatter(op: nn.ScatterOp) -> Cost:
    """
    flops = an addition for each update if they are added, else 0; all operands are read and the result is written.
    Equation (24).

    A kernel that may overwrite its input moves the updates alone; whether it may is not for the op to say.
    """
    flops = elements(op.updates) if op.kind.data == "add" else 0
    read = tensor_bytes(op.x) + tensor_bytes(op.indices) + tensor_bytes(op.updates)
    return Cost(flops, read, tensor_bytes(op.result), 1)


def iota(op: nn.IotaOp) -> Cost:
    """flops = 0; nothing is read."""
    return Cost(0, 0, tensor_bytes(op.result), 1)


RULES: Rules = {nn.GatherOp: gather, nn.GatherElementsOp: gather, nn.ScatterOp: scatter, nn.IotaOp: iota}
