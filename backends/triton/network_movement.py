"""Launches that move elements of an emitted network: by index, into a joint, past an edge, to another type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
from xdsl.ir import Operation

from ...ir import nn
from ..dtypes import dtype_of
from .network import Emitter
from .network_products import BLOCKS, write_pointwise
from .resize_taps import taps
from .views import View


def _around(sizes: Sequence[int], axis: int) -> tuple[int, int, int]:
    """(elements of the axes before, of the axis, of those behind)."""
    return prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :])


def write_gather(e: Emitter, op: nn.GatherOp) -> None:
    axis, x, indices = nn.integer(op.axis), e.view(op.x), e.view(op.indices)
    table, flat = e.contiguous(x, _around(x.sizes, axis)), e.contiguous(indices, (prod(indices.sizes),))
    _launch_gather(e, table, flat, e.result(op.result, "gather"))


def _launch_gather(e: Emitter, table: View, indices: View, out: View) -> None:
    """`out` from the rows of `table`, (outer, count, inner), at `indices`; all contiguous."""
    (outer, _, inner), (picked,) = table.sizes, indices.sizes
    tiles = e.row_tiles(outer * picked, inner, "block_rows", "block_n")
    at = replace(out, sizes=(outer, picked, inner), strides=(picked * inner, inner, 1))
    e.launch_tiled(tiles, "gather", "gather", table, indices, at, comment=f"{out.sizes}")


def write_concat(e: Emitter, op: nn.ConcatOp) -> None:
    out, axis, first = e.result(op.results[0], "concat"), nn.integer(op.axis), 0
    for operand in op.operands:
        x = e.view(operand)
        whole = [(0, size, 1) for size in out.sizes]
        whole[axis] = (first, first + x.sizes[axis], 1)
        e.launch("copy", "copy", x, out.sliced(whole), comment=f"{x.sizes}", **BLOCKS)
        first += x.sizes[axis]


def write_cast(e: Emitter, op: Operation) -> None:
    x, out = e.view(op.operands[0]), e.result(op.results[0], "cast")
    if out.dtype == "bool":
        write_pointwise(e, out, [x], e.function("truth", ["x1"], ["    return x1 != 0"]), floats=False)
    else:
        e.launch("copy", "copy", x, out, **BLOCKS, comment=f"{out.sizes} {x.dtype} -> {out.dtype}")


def write_constant(e: Emitter, op: Operation) -> None:
    """A fill is one element that is read everywhere, numbers along an axis are a weight that is read along it."""
    result = op.results[0]
    shape, dtype = nn.shape_of(result), dtype_of(nn.tensor_type(result))
    if isinstance(op, nn.IotaOp):
        axis = nn.integer(op.axis)
        view = e.weight(e.names.number("iota"), np.arange(shape[axis]), dtype)
        strides = tuple(int(i == axis) for i in range(len(shape)))
    else:
        assert isinstance(op, nn.FillOp)
        view = e.weight(e.names.number("fill"), np.full((1,), nn.number(op.value)), dtype)
        strides = (0,) * len(shape)
    e.bind(result, replace(view, sizes=shape, strides=strides))


def write_split(e: Emitter, op: nn.SplitOp) -> None:
    x, axis, first = e.view(op.x), nn.integer(op.axis), 0
    for size, piece in zip(nn.ints(op.sizes), op.results, strict=True):
        bounds = [(0, s, 1) for s in x.sizes]
        bounds[axis] = (first, first + size, 1)
        e.bind(piece, x.sliced(bounds))
        first += size


def taken(e: Emitter, x: View, axis: int, places: np.ndarray) -> View:
    """The slices of `x` along `axis` that stand at `places`."""
    out = e.buffer((*x.sizes[:axis], len(places), *x.sizes[axis + 1 :]), x.dtype, "taken")
    table = e.contiguous(x, _around(x.sizes, axis))
    _launch_gather(e, table, e.weight(e.names.number("places"), places, "int32"), out)
    return out


def write_reverse(e: Emitter, op: nn.ReverseOp) -> None:
    x = e.view(op.x)
    for axis in nn.ints(op.axes):
        x = taken(e, x, axis, np.arange(x.sizes[axis])[::-1])
    e.bind(op.result, x)


def write_pad(e: Emitter, op: nn.PadOp) -> None:
    x, low, high = e.view(op.x), nn.ints(op.low), nn.ints(op.high)
    if op.value is not None:
        out = e.result(op.result, "padded")
        e.launch("copy", "copy", e.view(op.value), out, **BLOCKS, comment=f"{out.sizes}")
        inside = out.sliced([(before, before + size, 1) for before, size in zip(low, x.sizes, strict=True)])
        e.launch("copy", "copy", x, inside, **BLOCKS, comment=f"{x.sizes}")
        return
    for axis, (before, after) in enumerate(zip(low, high, strict=True)):
        if before or after:
            x = taken(e, x, axis, _padding(op.mode.data, np.arange(-before, x.sizes[axis] + after), x.sizes[axis]))
    e.bind(op.result, x)


def _padding(mode: str, places: np.ndarray, size: int) -> np.ndarray:
    """What stands past the ends of an axis of `size`: its last element, it again, or it mirrored."""
    if mode == "edge":
        return np.clip(places, 0, size - 1)
    if mode == "wrap":
        return places % size
    period = max(1, 2 * (size - 1))
    return size - 1 - np.abs(size - 1 - places % period)


def write_resize(e: Emitter, op: nn.ResizeOp) -> None:
    x = e.view(op.x)
    for axis, size, scale in zip(nn.ints(op.axes), nn.ints(op.sizes), op.factors(), strict=True):
        found = taps(op, x.sizes[axis], size, scale)
        parts = [taken(e, x, axis, places) for places, _ in found]
        if len(parts) == 1:
            x = parts[0]
            continue
        column = (size, *[1] * (len(x.sizes) - axis - 1))
        weights = [e.weight(e.names.number("taps"), weight.reshape(column), "float32") for _, weight in found]
        names = [f"x{i + 1}" for i in range(2 * len(parts))]
        total = " + ".join(f"{part} * {weight}" for part, weight in zip(names[::2], names[1::2], strict=True))
        function = e.function("blend", names, [f"    return {total}"])
        out = e.buffer(parts[0].sizes, x.dtype, "resized")
        pairs = zip(parts, weights, strict=True)
        write_pointwise(e, out, [each for pair in pairs for each in pair], function, floats=True)
        x = out
    e.bind(op.result, x)


def write_scatter(e: Emitter, op: nn.ScatterOp) -> None:
    axis, x, indices = nn.integer(op.axis), e.view(op.x), e.view(op.indices)
    outer, count, inner = _around(x.sizes, axis)
    out, picked = e.result(op.result, "scatter"), prod(indices.sizes)
    e.launch("copy", "copy", x, out, **BLOCKS, comment=f"{x.sizes}")
    table = replace(out, sizes=(outer, count, inner), strides=(count * inner, inner, 1))
    updates = e.contiguous(e.view(op.updates), (outer, picked, inner))
    options = {
        "add": op.kind.data == "add",
        "floats": "float" in x.dtype,
        "block_n": min(1024, 1 << max(0, inner - 1).bit_length()),
    }
    flat = e.contiguous(indices, (picked,))
    e.launch("scatter", "scatter", table, flat, updates, **options, num_warps=4, comment=f"{updates.sizes}")


def write_gather_elements(e: Emitter, op: nn.GatherElementsOp) -> None:
    axis, x, indices = nn.integer(op.axis), e.view(op.x), e.view(op.indices)
    inside = [(0, n if i == axis else m, 1) for i, (n, m) in enumerate(zip(x.sizes, indices.sizes, strict=True))]
    x, out = x.sliced(inside), e.result(op.result, "gather")

    def flat(view: View) -> View:
        return e.contiguous(view, _around(view.sizes, axis))

    e.launch("scatter", "gather_elements", flat(x), flat(indices), flat(out), **BLOCKS, comment=f"{out.sizes}")
