"""Transfers between pieces: what the sender reads and the receiver writes; the link's time is the planner's."""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, kernel


def transfer(op: nn.TransferOp) -> Cost:
    """flops = 0; the tensor is read here and written there."""
    return kernel(op, 0)


RULES: Rules = {nn.TransferOp: transfer}
