"""Each numbered constraint of each collective, and of transfers, has a case that breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn

X = Block(arg_types=[TensorType(f32, [4, 6])]).args[0]
TP = {"mesh": "tp", "ranks": 2}

BROKEN: list[tuple[type, int, Callable[[], object]]] = [
    (nn.AllReduceOp, 1, lambda: nn.AllReduceOp.make(X, mesh="", ranks=2)),
    (nn.AllReduceOp, 1, lambda: nn.AllReduceOp.make(X, mesh="tp", ranks=0)),
    (nn.AllReduceOp, 2, lambda: nn.AllReduceOp.make(X, kind="mean", **TP)),
    (nn.AllGatherOp, 1, lambda: nn.AllGatherOp.make(X, axis=0, mesh="", ranks=2)),
    (nn.AllGatherOp, 2, lambda: nn.AllGatherOp.make(X, axis=2, **TP)),
    (nn.ReduceScatterOp, 1, lambda: nn.ReduceScatterOp.make(X, axis=0, mesh="tp", ranks=-1)),
    (nn.ReduceScatterOp, 2, lambda: nn.ReduceScatterOp.make(X, axis=-1, **TP)),
    (nn.ReduceScatterOp, 3, lambda: nn.ReduceScatterOp.make(X, axis=0, mesh="tp", ranks=3)),
    (nn.AllToAllOp, 1, lambda: nn.AllToAllOp.make(X, split_axis=0, concat_axis=1, mesh="", ranks=2)),
    (nn.AllToAllOp, 2, lambda: nn.AllToAllOp.make(X, split_axis=0, concat_axis=2, **TP)),
    (nn.AllToAllOp, 2, lambda: nn.AllToAllOp.make(X, split_axis=2, concat_axis=0, **TP)),
    (nn.AllToAllOp, 3, lambda: nn.AllToAllOp.make(X, split_axis=1, concat_axis=0, mesh="tp", ranks=4)),
    (nn.PermuteOp, 1, lambda: nn.PermuteOp.make(X, sources=(), targets=(), mesh="tp", ranks=0)),
    (nn.PermuteOp, 2, lambda: nn.PermuteOp.make(X, sources=(0,), targets=(2,), **TP)),
    (nn.PermuteOp, 2, lambda: nn.PermuteOp.make(X, sources=(0, 1), targets=(1,), **TP)),
    (nn.PermuteOp, 3, lambda: nn.PermuteOp.make(X, sources=(0, 0), targets=(0, 1), **TP)),
    (nn.PermuteOp, 3, lambda: nn.PermuteOp.make(X, sources=(0, 1), targets=(1, 1), **TP)),
    (nn.ShardOp, 1, lambda: nn.ShardOp.make(X, axis=0, mesh="", ranks=2)),
    (nn.ShardOp, 2, lambda: nn.ShardOp.make(X, axis=2, **TP)),
    (nn.ShardOp, 3, lambda: nn.ShardOp.make(X, axis=1, mesh="tp", ranks=4)),
    (nn.TransferOp, 1, lambda: nn.TransferOp.make(X, source="p0", target="p0")),
    (nn.TransferOp, 1, lambda: nn.TransferOp.make(X, source="", target="p0")),
    (nn.RankOp, 1, lambda: nn.RankOp.make(mesh="tp", ranks=0)),
]


@pytest.mark.parametrize(("op", "constraint", "make"), BROKEN, ids=lambda x: getattr(x, "name", None))
def test_each_constraint_is_checked(op, constraint, make):
    with pytest.raises(VerifyException, match=rf"^\(C{constraint}\)"):
        make()


def test_every_constraint_of_every_collective_is_broken_above():
    covered = {(op, constraint) for op, constraint, _ in BROKEN}
    ops = (*nn.collectives.OPS, nn.TransferOp)
    written = {(op, int(n)) for op in ops for n in re.findall(r"\(C(\d)\)", op.__doc__ or "")}
    assert covered == written


def test_shapes():
    assert nn.shape_of(nn.AllGatherOp.make(X, axis=1, **TP).result) == (4, 12)
    assert nn.shape_of(nn.ReduceScatterOp.make(X, axis=0, **TP).result) == (2, 6)
    assert nn.shape_of(nn.AllToAllOp.make(X, split_axis=1, concat_axis=0, **TP).result) == (8, 3)
    assert nn.shape_of(nn.ShardOp.make(X, axis=1, **TP).result) == (4, 3)
