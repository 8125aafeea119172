"""Launches of comparisons, choices by them, searches, running sums, and numbers of few bits."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import Float8E4M3FNType, Float8E5M2Type
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import dtype_of
from .network import Emitter
from .network_movement import taken
from .network_products import FLOATS, write_pointwise
from .row_tiles import LONGEST_ROW
from .views import View

COMPARISONS = {"less": "<", "less_equal": "<=", "equal": "=="}
WIDE_INTEGERS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
"""types of integers that int64 holds, in which kernels search and add up"""


def write_comparison(e: Emitter, op: nn.ComparisonOp) -> None:
    function = e.function(op.kind, ["x1", "x2"], [f"    return x1 {COMPARISONS[op.kind]} x2"])
    operands = [e.view(value) for value in op.operands]
    write_pointwise(e, e.result(op.result, op.kind), operands, function, floats=False)


def write_where(e: Emitter, op: nn.WhereOp) -> None:
    function = e.function("choice", ["x1", "x2", "x3"], ["    return tl.where(x1 != 0, x2, x3)"])
    operands = [e.view(value) for value in op.operands]
    write_pointwise(e, e.result(op.result, "where"), operands, function, floats=False)


def _rows(e: Emitter, value: SSAValue, axis: int) -> tuple[View, list[int]]:
    """`value` as rows (rows, n) along `axis`, and the permutation that put the axis last."""
    x = e.view(value)
    if x.dtype not in (*FLOATS, *WIDE_INTEGERS):
        raise InputError([Diagnostic("triton-op", f"no Triton kernel searches {x.dtype}")])
    order = [i for i in range(len(x.sizes)) if i != axis] + [axis]
    n = x.sizes[axis]
    return e.contiguous(x.transposed(order), (prod(x.sizes) // max(1, n), n)), order


def _bind_rows(e: Emitter, value: SSAValue, rows: View, order: list[int]) -> None:
    """Let `value` lie in `rows`, whose axes are in that order."""
    shape = nn.shape_of(value)
    laid = rows.reshaped([shape[i] for i in order])
    assert laid is not None
    e.bind(value, laid.transposed([order.index(i) for i in range(len(order))]))


def write_arg_max(e: Emitter, op: nn.ArgMaxOp) -> None:
    x, order = _rows(e, op.x, nn.integer(op.axis))
    rows, n = x.sizes
    out = e.buffer((rows,), dtype_of(nn.tensor_type(op.result)), "place")
    tiles = e.row_tiles(rows, n, "block_rows", "block_n")
    e.launch_tiled(tiles, "top_k", "arg_max", x, out, comment=f"{x.sizes}", floats=x.dtype in FLOATS)
    _bind_rows(e, op.result, out, order)


def write_top_k(e: Emitter, op: nn.TopKOp) -> None:
    x, order = _rows(e, op.x, nn.integer(op.axis))
    (rows, n), k = x.sizes, nn.integer(op.k)
    if n > LONGEST_ROW:
        raise InputError([Diagnostic("triton-op", f"no Triton kernel picks the largest of more than {LONGEST_ROW}")])
    values = e.buffer((rows, k), x.dtype, "values")
    places = e.buffer((rows, k), dtype_of(nn.tensor_type(op.indices)), "places")
    tiles = e.row_tiles(rows, n, "block_rows", None)
    e.launch_tiled(tiles, "top_k", "top_k", x, values, places, comment=f"{x.sizes}", floats=x.dtype in FLOATS)
    _bind_rows(e, op.values, values, order)
    _bind_rows(e, op.indices, places, order)


def write_cum_sum(e: Emitter, op: nn.CumSumOp) -> None:
    x, order = _rows(e, op.x, nn.integer(op.axis))
    rows, n = x.sizes
    out = e.buffer((rows, n), x.dtype, "sums")
    options: dict[str, object] = {name: True for name in ("exclusive", "reverse") if nn.integer(getattr(op, name))}
    tiles = e.row_tiles(rows, n, "block_rows", "block_n")
    e.launch_tiled(tiles, "cum_sum", "cum_sum", x, out, comment=f"{x.sizes}", **options, floats=x.dtype in FLOATS)
    _bind_rows(e, op.result, out, order)


def _spread_over(e: Emitter, few: View, shape: tuple[int, ...], block: tuple[int, ...]) -> View:
    """A scale or a zero for each block of elements, read at every element of `shape`."""
    for axis, of in enumerate(block):
        if of > 1:
            few = taken(e, few, axis, np.arange(shape[axis]) // of)
    return few.broadcast(shape)


def write_quantise(e: Emitter, op: nn.QuantiseOp) -> None:
    """clip(round(x / scale) + zero); with a zero of the scale's type it is added before rounding."""
    _require_few_bits(op, op.result)
    x, block = e.view(op.x), nn.ints(op.block)
    operands = [x, _spread_over(e, e.view(op.scale), x.sizes, block)]
    text = "nearest(x1 / x2)"
    if op.zero is not None:
        zero = e.view(op.zero)
        operands.append(_spread_over(e, zero, x.sizes, block))
        text = "nearest(x1 / x2 + x3)" if zero.dtype in FLOATS else "nearest(x1 / x2) + x3"
    low, high = nn.integer_range(op.type.element_type)
    names = [f"x{i + 1}" for i in range(len(operands))]
    function = e.function("quantised", names, [f"    return minimum(maximum({text}, {low}.0), {high}.0)"])
    write_pointwise(e, e.result(op.result, "quantised"), operands, function, floats=True)


def write_dequantise(e: Emitter, op: nn.DequantiseOp) -> None:
    """Written out for those that need the wide numbers; a product may read the weights as they are."""
    _require_few_bits(op, op.q)
    e.origins[op.result] = op
    e.later(op.result, lambda: _write_out(e, op))


def _write_out(e: Emitter, op: nn.DequantiseOp) -> None:
    q, block = _codes(e, op), nn.ints(op.block)
    operands = [q, _spread_over(e, e.view(op.scale), q.sizes, block)]
    if op.zero is not None:
        operands.append(_spread_over(e, e.view(op.zero), q.sizes, block))
    names = [f"x{i + 1}" for i in range(len(operands))]
    text = "(x1 - x3) * x2" if op.zero is not None else "x1 * x2"
    function = e.function("restored", names, [f"    return {text}"])
    write_pointwise(e, e.result(op.result, "restored"), operands, function, floats=True)


def _codes(e: Emitter, op: nn.DequantiseOp) -> View:
    """Where the narrow numbers lie: weights of less than a byte have a whole one each."""
    owner, kind = op.q.owner, nn.tensor_type(op.q).element_type
    if isinstance(owner, nn.WeightOp) and nn.is_integer(kind) and nn.bits_of(kind) < 8:
        return e.weight(owner.weight.data, e.values(owner), "int8")
    return e.view(op.q)


def _require_few_bits(op: Operation, value: SSAValue) -> None:
    """InputError unless `value` is of numbers whose every value float32 holds, in whole bytes or a weight."""
    kind = nn.tensor_type(value).element_type
    whole = nn.bits_of(kind) in (8, 16) or (nn.bits_of(kind) < 8 and isinstance(value.owner, nn.WeightOp))
    if not whole or not (nn.is_integer(kind) or isinstance(kind, Float8E4M3FNType | Float8E5M2Type)):
        raise InputError([Diagnostic("triton-op", f"no Triton kernel computes `{op.name}` of {kind}")])
