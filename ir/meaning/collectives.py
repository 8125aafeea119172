"""What collectives give each rank, from what all ranks of the group hold, in their order along the mesh axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.ir import Operation

from .. import nn
from .meaning import Array

Across = Callable[[Any, Sequence[Array]], list[Array]]
"""Called with the op and the operand of each rank of a group; gives the result of each."""

_REDUCE: dict[str, Callable[..., Array]] = {"sum": np.sum, "max": np.max, "min": np.min}


def _all_reduce(op: nn.AllReduceOp, held: Sequence[Array]) -> list[Array]:
    return [_REDUCE[op.kind.data](held, axis=0)] * len(held)


def _all_gather(op: nn.AllGatherOp, held: Sequence[Array]) -> list[Array]:
    return [np.concatenate(held, axis=nn.integer(op.axis))] * len(held)


def _reduce_scatter(op: nn.ReduceScatterOp, held: Sequence[Array]) -> list[Array]:
    return np.split(np.sum(held, axis=0), len(held), axis=nn.integer(op.axis))


def _all_to_all(op: nn.AllToAllOp, held: Sequence[Array]) -> list[Array]:
    parts = [np.split(x, len(held), axis=nn.integer(op.split_axis)) for x in held]
    return [np.concatenate([p[i] for p in parts], axis=nn.integer(op.concat_axis)) for i in range(len(held))]


def _permute(op: nn.PermuteOp, held: Sequence[Array]) -> list[Array]:
    got = [np.zeros_like(x) for x in held]
    for source, target in zip(nn.ints(op.sources), nn.ints(op.targets), strict=True):
        got[target] = held[source]
    return got


def _shard(op: nn.ShardOp, held: Sequence[Array]) -> list[Array]:
    return [np.split(x, len(held), axis=nn.integer(op.axis))[i] for i, x in enumerate(held)]


ACROSS: Mapping[type[Operation], Across] = {
    nn.AllReduceOp: _all_reduce,
    nn.AllGatherOp: _all_gather,
    nn.ReduceScatterOp: _reduce_scatter,
    nn.AllToAllOp: _all_to_all,
    nn.PermuteOp: _permute,
    nn.ShardOp: _shard,
    nn.RankOp: lambda op, held: [np.array(float(i)) for i in range(nn.integer(op.ranks))],
}
"""Collective op class -> its meaning for the whole group."""
