"""The ops that one rank runs: an op on local tensors, and the moves between states."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .signatures import Local, Mesh, Signature
from .states import EXCHANGED, WHOLE, State


def local_type(value: SSAValue, state: State, ranks: int) -> nn.Tensor:
    """The type of what one rank holds of `value`."""
    return nn.with_shape(value, state.local(nn.shape_of(value), ranks))


def localise(op: Operation, operands: Sequence[SSAValue], signature: Signature, mesh: Mesh) -> Local:
    """
    What each rank runs for `op` on local `operands`, and the results.

    VerifyException where the local op breaks a constraint, which would be a fault of the signature.
    """
    if signature.lower is not None:
        return signature.lower(mesh, operands)
    if all(state == WHOLE for state in (*signature.operands, *signature.results)):
        same = op.clone(dict(zip(op.operands, operands, strict=True)))
        same.location = op.location
        return [same], same.results
    local = type(op).create(
        operands=operands,
        attributes={**op.attributes, **dict(signature.changes)},
        result_types=[local_type(r, state, mesh.ranks) for r, state in zip(op.results, signature.results, strict=True)],
        location=op.location,
    )
    for old, new in zip(op.results, local.results, strict=True):
        new.name_hint = old.name_hint
    local.verify_()
    return [local], local.results


def can_move(source: State, target: State, value: SSAValue) -> bool:
    """
    Whether `move` knows a way: to whole and split from all states but X, to partial from whole alone.

    Of integers there are no shares to add up.
    """
    if EXCHANGED in (source, target):
        return source == target
    if (source, target.kind, target.reduction) == (WHOLE, "P", "sum"):
        return isinstance(nn.tensor_type(value).element_type, AnyFloat)
    return source in (target, WHOLE) or target.kind != "P"


def move(value: SSAValue, source: State, target: State, mesh: Mesh, at: Operation | None = None) -> list[Operation]:
    """
    The ops that bring the local `value` from one state to another; the last has the result, none means as it is.

    S(i) -> B       all-gather                 P -> B       all-reduce
    S(i) -> S(j)    all-to-all                 P(sum) -> S  reduce-scatter (of a max or min: all-reduce, own part)
    B -> S(i)       own part, nothing sent     B -> P(sum)  1/n of it; B -> P(max), P(min): as it is
    """
    if not can_move(source, target, value):
        raise ValueError(f"there is no way from {source} to {target}")
    given = {"mesh": mesh.axis, "ranks": mesh.ranks, "at": at}
    match source.kind, target.kind:
        case _ if source == target:
            return []
        case "S", "B":
            return [nn.AllGatherOp.make(value, axis=source.axis, **given)]
        case "S", "S":
            return [nn.AllToAllOp.make(value, split_axis=target.axis, concat_axis=source.axis, **given)]
        case "P", "S" if source.reduction == "sum":
            return [nn.ReduceScatterOp.make(value, axis=target.axis, **given)]
        case "P", _:
            whole = nn.AllReduceOp.make(value, kind=source.reduction, **given)
            return [whole, *move(whole.result, WHOLE, target, mesh, at)]
        case "B", "S":
            return [nn.ShardOp.make(value, axis=target.axis, **given)]
        case _:
            return _share(value, mesh, at) if target.reduction == "sum" else []


def _share(value: SSAValue, mesh: Mesh, at: Operation | None) -> list[Operation]:
    """1/n of a whole value on each of n ranks."""
    share = nn.FillOp.make(type=nn.with_shape(value, ()), value=1 / mesh.ranks, at=at)
    return [share, nn.MulOp.make(value, share.result, at=at)]
