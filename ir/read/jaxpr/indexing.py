"""Reading and writing where indices say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from ... import nn
from ..spelt_out import falling
from .places import clipped, filled, placed, wide_enough
from .products import reshaped, transposed
from .reader import Reader, Rule, Unreadable, Value, type_of


def _gather(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Whole slices along one axis, as `x[i]` and `jnp.take` ask for, or single elements along one axis."""
    numbers = eqn.params["dimension_numbers"]
    shape, sizes = eqn.invars[0].aval.shape, eqn.params["slice_sizes"]
    x, indices = (reader.tensor(o) for o in operands)
    if len(numbers.start_index_map) != 1:
        raise Unreadable("it indexes several axes at once")
    (axis,) = numbers.start_index_map
    place = nn.shape_of(indices)
    if place[-1] != 1:
        raise Unreadable("its indices are no list of places")
    whole = all(n == (1 if i == axis else shape[i]) for i, n in enumerate(sizes))
    offset = list(numbers.offset_dims)
    if numbers.operand_batching_dims:
        others = tuple(i for i in range(len(shape)) if i != axis)
        together = tuple(numbers.operand_batching_dims) == others == tuple(numbers.start_indices_batching_dims)
        if not together or offset or any(n != 1 for n in sizes):
            raise Unreadable("it reads windows rather than elements")
    elif tuple(numbers.collapsed_slice_dims) != (axis,) or not whole:
        raise Unreadable("it reads windows rather than whole slices")
    places, there = placed(reader, operands[1], place[:-1], shape[axis], eqn)
    if numbers.operand_batching_dims:  # `jnp.take_along_axis`: all other axes are walked together
        found = reader.add(nn.GatherElementsOp, x, places, axis=axis)
        return found if there is None else filled(reader, eqn, found, there)
    found = reader.add(nn.GatherOp, x, places, axis=axis)
    if there is not None:
        there = reshaped(reader, there, (*place[:-1], *[1] * (len(shape) - axis - 1)))
        found = filled(reader, eqn, found, there)
    # nn puts the axes of the indices where `axis` was, JAX wherever the axes of slices are not.
    count, rank = len(place) - 1, len(nn.shape_of(found))
    slices = iter([i for i in range(rank) if not axis <= i < axis + count])
    listed = iter(range(axis, axis + count))
    return transposed(reader, found, [next(slices) if i in offset else next(listed) for i in range(rank)])


def _dynamic_slice(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """A slice where all starts are known; else slices of the axes whose start is not, by their places."""
    x, *starts = operands
    sizes = eqn.params["slice_sizes"]
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        whole = eqn.invars[0].aval.shape[axis]
        if size == whole:
            continue
        if isinstance(start, np.ndarray):
            x = _cut(reader, reader.tensor(x), axis, int(np.clip(start, 0, whole - size)), size)
        else:
            x = reader.add(nn.GatherOp, x, _places(reader, start, size, whole), axis=axis)
    return x


def _cut(reader: Reader, x: SSAValue, axis: int, start: int, size: int) -> SSAValue:
    shape = nn.shape_of(x)
    starts = tuple(start if i == axis else 0 for i in range(len(shape)))
    limits = tuple(start + size if i == axis else n for i, n in enumerate(shape))
    return reader.add(nn.SliceOp, x, starts=starts, limits=limits)


def _places(reader: Reader, start: SSAValue, size: int, whole: int) -> SSAValue:
    """start, start + 1, ..., moved inside as JAX does."""
    first = clipped(reader, wide_enough(reader, start, whole), 0, whole - size)
    steps = reader.add(nn.IotaOp, type=nn.with_shape(first, (size,)), axis=0)
    return reader.add(nn.AddOp, first, steps)


def _dynamic_update_slice(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Written along the one axis that the update does not fill."""
    x, update, *starts = operands
    whole, part = eqn.invars[0].aval.shape, eqn.invars[1].aval.shape
    axes = [axis for axis, (w, p) in enumerate(zip(whole, part, strict=True)) if w != p]
    if not axes:
        return update
    if len(axes) != 1:
        raise Unreadable("it writes a window of several axes")
    (axis,) = axes
    start = reader.tensor(starts[axis])
    return reader.add(nn.ScatterOp, x, _places(reader, start, part[axis], whole[axis]), update, axis=axis)


def _sort(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    """Ascending order is the largest of the negated, all of them; what is sorted along is gathered."""
    if eqn.params["num_keys"] != 1:
        raise Unreadable("it sorts by several keys")
    axis = eqn.params["dimension"]
    keys = reader.tensor(operands[0])
    size = eqn.invars[0].aval.shape[axis]
    _, places = reader.add_all(nn.TopKOp, falling(reader.add, keys), k=size, axis=axis)
    return [reader.add(nn.GatherElementsOp, each, places, axis=axis) for each in operands]


def _scatter(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """`x.at[i].set(u)` and `.add(u)` of whole slices along axis 0."""
    numbers = eqn.params["dimension_numbers"]
    x, indices, updates = (reader.tensor(o) for o in operands)
    place = nn.shape_of(indices)
    axes = tuple(numbers.scatter_dims_to_operand_dims)
    rank = len(nn.shape_of(updates))
    window = tuple(range(len(place) - 1, rank))
    plain = axes == (0,) == tuple(numbers.inserted_window_dims) and tuple(numbers.update_window_dims) == window
    if not plain or place[-1] != 1 or numbers.operand_batching_dims:
        raise Unreadable("it writes windows rather than whole slices along the first axis")
    kind = "add" if eqn.primitive.name == "scatter-add" else "set"
    places, _ = placed(reader, operands[1], place[:-1], eqn.invars[0].aval.shape[0], eqn)
    result = reader.add(nn.ScatterOp, x, places, updates, axis=0, kind=kind)
    assert result.type == type_of(eqn.outvars[0].aval)
    return result


RULES: Mapping[str, Rule] = {
    "gather": _gather,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "sort": _sort,
    **dict.fromkeys(("scatter", "scatter-add"), _scatter),
}
