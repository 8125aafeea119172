"""
Collectives: the work that each rank does in its own memory.

What crosses links is no work of a rank: `costmodel/collectives.py` says how long that takes.

Equations are numbered as in `docs/math/work.md`.
"""

from __future__ import annotations

from ...ir import nn
from ..cost import Cost
from .kernel import Rules, elements, kernel, tensor_bytes


def all_reduce(op: nn.AllReduceOp) -> Cost:
    """
    flops = (n - 1) e / n for e elements on n ranks: each combines one part of what the others hold.

    Equation (33).
    """
    return kernel(op, _combined(op))


def reduce_scatter(op: nn.ReduceScatterOp) -> Cost:
    """flops = (n - 1) e / n, as the first half of an all-reduce. Equation (34)."""
    return kernel(op, _combined(op))


def exchange(op: nn.CollectiveOp) -> Cost:
    """flops = 0; the operand is read and the result written."""
    return kernel(op, 0)


def shard(op: nn.ShardOp) -> Cost:
    """flops = 0; as much is read as written, not the whole operand."""
    size = tensor_bytes(op.result)
    return Cost(0, size, size, 1)


def rank(op: nn.RankOp) -> Cost:
    """No work: a number known when the program starts."""
    return Cost()


def _combined(op: nn.CollectiveOp) -> float:
    ranks = nn.integer(op.ranks)
    return (ranks - 1) * elements(op.operands[0]) / ranks


RULES: Rules = {
    nn.AllReduceOp: all_reduce,
    nn.AllGatherOp: exchange,
    nn.ReduceScatterOp: reduce_scatter,
    nn.AllToAllOp: exchange,
    nn.PermuteOp: exchange,
    nn.ShardOp: shard,
    nn.RankOp: rank,
}
