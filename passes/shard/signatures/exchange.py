"""
Expert parallelism: tokens and experts are split, and rows go to the experts' ranks and back by all-to-all.

Shapes are static and no row is dropped, so each rank sends every other as many rows as its tokens have in all, those
for its experts first and 0 behind them. What a rank has then are n blocks, one from each rank (state X).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import i64
from xdsl.ir import Operation, SSAValue

from ....ir import nn
from ..states import EXCHANGED, divides, split
from .signature import Local, Mesh, Signature


class _Ops:
    """Local ops while they are written."""

    def __init__(self, at: Operation) -> None:
        self.at = at
        self.ops: list[Operation] = []

    def add(self, kind: type[nn.TensorOp], /, *operands: SSAValue, **given: Any) -> Sequence[SSAValue]:
        op = kind.make(*operands, at=self.at, **given)
        self.ops.append(op)
        return op.results

    def number(self, value: int) -> SSAValue:
        return self.add(nn.FillOp, type=nn.tensor(i64, ()), value=float(value))[0]

    def block(self, x: SSAValue, index: int, size: int) -> SSAValue:
        """`size` rows of x from `index` * size on."""
        rest = nn.shape_of(x)[1:]
        starts, limits = (index * size, *(0 for _ in rest)), ((index + 1) * size, *rest)
        return self.add(nn.SliceOp, x, starts=starts, limits=limits)[0]

    def swap(self, x: SSAValue, mesh: Mesh) -> SSAValue:
        """Block i of x to rank i."""
        return self.add(nn.AllToAllOp, x, split_axis=0, concat_axis=0, mesh=mesh.axis, ranks=mesh.ranks)[0]


def dispatch(op: nn.DispatchOp, ranks: int) -> list[Signature]:
    """Tokens are split; the rows of each for the experts of each rank are sent there."""
    count = nn.integer(op.count)
    if not (divides(ranks, nn.shape_of(op.x)[0]) and divides(ranks, count)):
        return []

    def lower(mesh: Mesh, held: Sequence[SSAValue]) -> Local:
        x, experts = held
        ops, own = _Ops(op), count // mesh.ranks
        zero, end = ops.number(0), ops.number(own)
        parts: list[Sequence[SSAValue]] = []
        for rank in range(mesh.ranks):
            here = ops.add(nn.SubOp, experts, ops.number(rank * own))[0]
            above, below = ops.add(nn.LessEqualOp, zero, here)[0], ops.add(nn.LessOp, here, end)[0]
            inside = ops.add(nn.AndOp, above, below)[0]
            kept = ops.add(nn.WhereOp, inside, here, end)[0]  # the experts of others are one more, behind all
            rows, order, sizes = ops.add(nn.DispatchOp, x, kept, count=own + 1)
            sizes = ops.block(sizes, 0, own)
            parts.append((_first(ops, rows, sizes), order, sizes))
        rows, order, sizes = (ops.add(nn.ConcatOp, *column, axis=0)[0] for column in zip(*parts, strict=True))
        return ops.ops, [ops.swap(rows, mesh), order, ops.swap(sizes, mesh)]

    return [Signature((split(0), split(0)), (EXCHANGED,) * 3, lower=lower)]


def _first(ops: _Ops, rows: SSAValue, sizes: SSAValue) -> SSAValue:
    """As many rows as `sizes` say together, 0 for those behind."""
    count = ops.add(nn.ReduceOp, sizes, kind="sum", axes=(0,))[0]
    place = ops.add(nn.IotaOp, type=nn.tensor(i64, (nn.shape_of(rows)[0], 1)), axis=0)[0]
    nothing = ops.add(nn.FillOp, type=nn.with_shape(rows, ()), value=0.0)[0]
    return ops.add(nn.WhereOp, ops.add(nn.LessOp, place, count)[0], rows, nothing)[0]


def grouped_matmul(op: nn.GroupedMatmulOp, ranks: int) -> list[Signature]:
    """Experts are split; each block of rows is multiplied by itself."""
    rows, groups = nn.shape_of(op.rows)[0], nn.shape_of(op.w)[0]
    if not (divides(ranks, rows) and divides(ranks, groups)):
        return []

    def lower(mesh: Mesh, held: Sequence[SSAValue]) -> Local:
        x, w, sizes = held
        ops = _Ops(op)
        transposed = nn.integer(op.transpose_b)
        blocks = [
            ops.add(
                nn.GroupedMatmulOp,
                ops.block(x, rank, rows // mesh.ranks),
                w,
                ops.block(sizes, rank, groups // mesh.ranks),
                transpose_b=transposed,
            )[0]
            for rank in range(mesh.ranks)
        ]
        return ops.ops, ops.add(nn.ConcatOp, *blocks, axis=0)

    return [Signature((EXCHANGED, split(0), EXCHANGED), (EXCHANGED,), lower=lower)]


def combine(op: nn.CombineOp, ranks: int) -> list[Signature]:
    """Rows go back; each token's are added up over the ranks that had them."""
    tokens = nn.shape_of(op.weights)[0]
    if not divides(ranks, tokens):
        return []

    def lower(mesh: Mesh, held: Sequence[SSAValue]) -> Local:
        y, weights, order = held
        ops, rows = _Ops(op), nn.shape_of(op.y)[0] // mesh.ranks
        back = ops.swap(y, mesh)
        total: SSAValue | None = None
        for rank in range(mesh.ranks):
            mine = ops.add(nn.CombineOp, ops.block(back, rank, rows), weights, ops.block(order, rank, rows))[0]
            total = mine if total is None else ops.add(nn.AddOp, total, mine)[0]
        assert total is not None
        return ops.ops, [total]

    return [Signature((EXCHANGED, split(0), EXCHANGED), (split(0),), lower=lower)]
