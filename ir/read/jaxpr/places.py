"""Which places an index of JAX reads or writes, by the mode that it says for those out of range."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import i32, i64
from xdsl.ir import SSAValue

from ... import nn
from .products import reshaped
from .reader import Reader, Unreadable, Value, element_of

LARGEST_I32 = 2**31 - 1


def placed(reader: Reader, given: Value, shape: nn.Shape, size: Any, eqn: Any) -> tuple[SSAValue, SSAValue | None]:
    """
    The indices `given`, in `shape`, for an axis of `size` as nn has them; and which are in range, where others find a
    number of the caller's own.

    Out of range, CLIP reads and writes the nearest place, and so does PROMISE_IN_BOUNDS, of `x[i]`, when XLA reads;
    FILL_OR_DROP, of `jnp.take` and `x.at[i]`, reads `fill_value`, by default what nn reads, and writes nothing. An
    index below 0 is out of range: JAX counts it from the end before, in ops of its own, which nn does by itself.
    """
    if not isinstance(size, int):
        raise Unreadable("it indexes an axis of open size")
    mode, reads = str(eqn.params["mode"]), eqn.primitive.name == "gather"
    indices = reshaped(reader, reader.tensor(given), shape)
    counted = _counted(reader, indices, size)
    least = 0 if counted is None else -size
    indices = wide_enough(reader, indices if counted is None else counted, size)
    if "CLIP" in mode or ("PROMISE" in mode and reads):
        inside = isinstance(given, np.ndarray) and bool(((given >= 0) & (given < size)).all())
        return indices if inside else clipped(reader, indices, least, size - 1), None
    if reads and not _is_usual(eqn):
        return indices, _in_range(reader, indices, least, size)
    return indices if counted is not None else _without_sign(reader, indices, size), None


def filled(reader: Reader, eqn: Any, found: SSAValue, there: SSAValue) -> SSAValue:
    """`found`, and the caller's number where nothing is `there`."""
    fill = np.asarray(eqn.params["fill_value"], dtype=eqn.outvars[0].aval.dtype)
    return reader.add(nn.WhereOp, there, found, fill)


def clipped(reader: Reader, indices: SSAValue, low: int, high: int) -> SSAValue:
    """`indices` moved to low to high."""
    if low > _range(indices)[0]:
        indices = reader.add(nn.MaxOp, indices, _number(reader, indices, low))
    return reader.add(nn.MinOp, indices, _number(reader, indices, high))


def wide_enough(reader: Reader, indices: SSAValue, size: int) -> SSAValue:
    """`indices` in a type that holds `size`."""
    if _range(indices)[1] >= size:
        return indices
    element = i32 if size <= LARGEST_I32 else i64
    return reader.add(nn.CastOp, indices, type=nn.tensor(element, nn.shape_of(indices)))


def _counted(reader: Reader, indices: SSAValue, size: int) -> SSAValue | None:
    """What JAX made `indices` of by `where(i < 0, i + size, i)`; None where it did not."""
    owner = indices.owner
    if isinstance(owner, nn.ReshapeOp) and (inner := _counted(reader, owner.x, size)) is not None:
        return reshaped(reader, inner, nn.shape_of(indices))
    if isinstance(owner, nn.CastOp) and _widens(owner) and (inner := _counted(reader, owner.x, size)) is not None:
        return reader.add(nn.CastOp, inner, type=owner.type)
    if not isinstance(owner, nn.WhereOp):
        return None
    below, above, index = owner.condition.owner, owner.x.owner, owner.y
    plain = isinstance(below, nn.LessOp) and below.lhs == index and _is_number(below.rhs, 0)
    added = isinstance(above, nn.AddOp) and above.lhs == index and _is_number(above.rhs, size)
    return index if plain and added else None


def _widens(op: nn.CastOp) -> bool:
    """Whether every integer stays as it is."""
    if not nn.is_integer(nn.tensor_type(op.x).element_type) or not nn.is_integer(op.type.element_type):
        return False
    (low, high), (least, most) = _range(op.x), _range(op.result)
    return least <= low and high <= most


def _without_sign(reader: Reader, indices: SSAValue, size: int) -> SSAValue:
    """Those below 0 past the end, where nn does not count them from."""
    if _range(indices)[0] == 0:
        return indices
    below = reader.add(nn.LessOp, indices, _number(reader, indices, 0))
    return reader.add(nn.WhereOp, below, _number(reader, indices, size), indices)


def _in_range(reader: Reader, indices: SSAValue, least: int, size: int) -> SSAValue:
    there = reader.add(nn.LessOp, indices, _number(reader, indices, size))
    if _range(indices)[0] >= least:
        return there
    return reader.add(nn.AndOp, there, reader.add(nn.LessEqualOp, _number(reader, indices, least), indices))


def _is_usual(eqn: Any) -> bool:
    """Whether `fill_value` is what nn reads out of range."""
    fill, usual = eqn.params["fill_value"], nn.outside_value(element_of(eqn.outvars[0].aval.dtype))
    return fill is None or bool(fill == usual) or bool(np.isnan(usual) and np.isnan(fill))


def _range(value: SSAValue) -> tuple[int, int]:
    return nn.integer_range(nn.tensor_type(value).element_type)


def _number(reader: Reader, like: SSAValue, value: int) -> SSAValue:
    return reader.add(nn.FillOp, type=nn.with_shape(like, ()), value=float(value))


def _is_number(value: SSAValue, number: int) -> bool:
    owner = value.owner
    while isinstance(owner, nn.BroadcastOp | nn.ReshapeOp):
        owner = owner.x.owner
    return isinstance(owner, nn.FillOp) and nn.number(owner.value) == number
