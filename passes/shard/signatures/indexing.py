"""Reading and writing by index: an axis that is looked up in gives partial sums, each row being on one rank."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import i64
from xdsl.ir import Operation, SSAValue

from ....ir import nn
from ..states import SUM, WHOLE, divides, split
from .signature import AxisMap, Labels, Local, Mesh, Rules, Signature, own_labels, sets


def gather(op: nn.GatherOp, ranks: int) -> Sequence[Signature]:
    """Axes of the input and of the indices; of an embedding split by rows each rank looks up those that it has."""
    axis, shape = nn.integer(op.axis), nn.shape_of(op.x)
    x: Labels = tuple(None if i == axis else label for i, label in enumerate(own_labels(shape)))
    indices = own_labels(nn.shape_of(op.indices), "i")
    plain = AxisMap((x, indices), ((*x[:axis], *indices, *x[axis + 1 :]),), linear=sets(0))
    found = list(plain.signatures(op, ranks))
    if divides(ranks, shape[axis]):
        found.append(Signature((split(axis), WHOLE), (SUM,), lower=lambda mesh, held: own_rows(op, mesh, held)))
    return found


def own_rows(op: nn.GatherOp, mesh: Mesh, held: Sequence[SSAValue]) -> Local:
    """
    What a rank looks up in its rows, 0 for rows that others have.

        at = index (+ rows where it is below 0) - rank * rows / n;  inside = 0 <= at < rows / n
        where(inside, gather(x, where(inside, at, 0)), 0)
    """
    x, indices = held
    axis, rows = nn.integer(op.axis), nn.shape_of(op.x)[nn.integer(op.axis)]
    ops: list[Operation] = []

    def add(kind: type[nn.TensorOp], *operands: SSAValue, **given) -> SSAValue:
        made = kind.make(*operands, at=op, **given)
        ops.append(made)
        return made.results[0]

    def constant(value: float, like: SSAValue | None = None) -> SSAValue:
        element = i64 if like is None else nn.tensor_type(like).element_type
        return add(nn.FillOp, type=nn.tensor(element, ()), value=float(value))

    shape = nn.shape_of(indices)
    zero, part = constant(0), constant(rows // mesh.ranks)
    index = add(nn.CastOp, indices, type=nn.tensor(i64, shape))
    from_end = add(nn.AddOp, index, constant(rows))
    index = add(nn.WhereOp, add(nn.LessOp, index, zero), from_end, index)
    first = add(nn.MulOp, add(nn.RankOp, mesh=mesh.axis, ranks=mesh.ranks), part)
    at = add(nn.SubOp, index, first)
    inside = add(nn.AndOp, add(nn.LessEqualOp, zero, at), add(nn.LessOp, at, part))
    found = add(nn.GatherOp, x, add(nn.WhereOp, inside, at, zero), axis=axis)
    after = len(nn.shape_of(x)) - axis - 1
    mask = add(nn.ReshapeOp, inside, type=nn.with_shape(inside, (*shape, *(1,) * after)))
    return ops, [add(nn.WhereOp, mask, found, constant(0, like=found))]


def gather_elements(op: nn.GatherElementsOp, ranks: int) -> AxisMap:
    """Axes that input and indices share, and the indices along `axis`."""
    axis, shape, wanted = nn.integer(op.axis), nn.shape_of(op.x), nn.shape_of(op.indices)
    shared = [i != axis and size == wanted[i] for i, size in enumerate(shape)]
    x: Labels = tuple(f"{i}" if same else None for i, same in enumerate(shared))
    indices: Labels = tuple(f"{i}" if same or i == axis else None for i, same in enumerate(shared))
    return AxisMap((x, indices), (indices,), linear=sets(0))


def scatter(op: nn.ScatterOp, ranks: int) -> AxisMap:
    """Axes that are not written along; linear in what is written and what stays together."""
    axis = nn.integer(op.axis)
    x: Labels = tuple(None if i == axis else label for i, label in enumerate(own_labels(nn.shape_of(op.x))))
    indices: Labels = (None,) * len(nn.shape_of(op.indices))
    updates = (*x[:axis], *indices, *x[axis + 1 :])
    return AxisMap((x, indices, updates), (x,), linear=((frozenset({0, 2}), "sum"),))


def iota(op: nn.IotaOp, ranks: int) -> AxisMap:
    """Every axis along which it is the same."""
    axis = nn.integer(op.axis)
    labels = own_labels(nn.shape_of(op.result))
    return AxisMap((), (tuple(None if i == axis else label for i, label in enumerate(labels)),))


SIGNATURES: Rules = {
    nn.GatherOp: gather,
    nn.GatherElementsOp: gather_elements,
    nn.ScatterOp: scatter,
    nn.IotaOp: iota,
}
