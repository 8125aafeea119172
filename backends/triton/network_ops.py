"""The kernels that each operator of a network launches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from xdsl.ir import Operation

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import dtype_of
from .attention_tiles import attention_tiles, decode_tiles
from .network import Emitter
from .network_products import SCALARS, float_dtype, write_chain, write_fusion, write_product
from .row_tiles import reduction_tiles, row_tiles
from .tiles import Work, matmul_tiles
from .views import View


def write_op(e: Emitter, op: Operation) -> None:
    """The launches of `op`; InputError for an operator that no kernel computes."""
    if isinstance(op, SCALARS):
        write_chain(e, op)
    elif type(op) in WRITERS:
        WRITERS[type(op)](e, op)
    else:
        raise InputError([Diagnostic("triton-op", f"no Triton kernel computes `{op.name}`")])


def _rows_options(e: Emitter, rows: int, n: int, called: str, columns: str | None) -> dict[str, int]:
    return row_tiles(e.device, rows, n).options(called, columns)


def _norm(e: Emitter, op: Any) -> None:
    float_dtype(op)
    x = e.view(op.x)
    grouped = isinstance(op, nn.GroupNormOp)
    groups = nn.integer(op.groups) if grouped else 1
    rows = x.sizes[0] * groups if grouped else prod(x.sizes[: nn.integer(op.axis)])
    n = prod(x.sizes) // max(1, rows)
    gains = [getattr(op, "scale", None), getattr(op, "bias", None)]
    texts = ["None" if g is None else str(e.contiguous(e.view(g), (prod(nn.shape_of(g)),))) for g in gains]
    while texts and texts[-1] == "None":
        texts.pop()
    out = e.result(op.results[0], "norm")
    options: dict[str, object] = {"centred": not isinstance(op, nn.RmsNormOp), "epsilon": nn.number(op.epsilon)}
    if grouped:
        options |= {"groups": groups, "repeat": prod(x.sizes[2:])}
    options |= _rows_options(e, rows, n, "block_rows", "block_n")
    flat = replace(out, sizes=(rows, n), strides=(n, 1))
    e.launch("norm", "norm", e.contiguous(x, (rows, n)), flat, *texts, comment=f"{x.sizes}", **options)


def _softmax(e: Emitter, op: nn.SoftmaxOp) -> None:
    float_dtype(op)
    x, axis = e.view(op.x), nn.integer(op.axis)
    out = e.result(op.result, "softmax")
    n = x.sizes[axis]
    options = _rows_options(e, prod(x.sizes) // max(1, n), n, "block_kept", "block_n")
    e.launch("softmax", "softmax", x, out, comment=f"{x.sizes}", axis=axis, **options)


def _reduce(e: Emitter, op: nn.ReduceOp) -> None:
    float_dtype(op)
    x, axes = e.view(op.x), tuple(nn.ints(op.axes))
    out = e.result(op.result, op.kind.data)
    n = prod(x.sizes[a] for a in axes)
    kept = prod(x.sizes) // max(1, n)
    along = not axes or axes[-1] == len(x.sizes) - 1
    tiles, splits = reduction_tiles(e.device, kept, max(1, n), along)
    options: dict[str, object] = {"axes": axes, "kind": op.kind.data}
    parts: list[View] = []
    if splits > 1:
        parts, options["splits"] = [e.buffer((splits, kept), "float32", "parts")], splits
    options |= tiles.options("block_kept", "block_n")
    e.launch("reduce", "reduce", x, out, *parts, comment=f"{x.sizes} -> {out.sizes}", **options)


def _attention(e: Emitter, op: nn.AttentionOp) -> None:
    dtype = float_dtype(op)
    q, k, v = (e.view(each) for each in (op.q, op.k, op.v))
    out = e.result(op.result, "attention")
    masks = [] if op.mask is None else [e.view(op.mask)]
    tiles = attention_tiles(e.device, q.sizes[0] * q.sizes[1], q.sizes[2], k.sizes[2], q.sizes[3], v.sizes[3], dtype)
    options: dict[str, object] = {"scale": nn.number(op.scale)}
    options |= {"causal": True} if nn.integer(op.causal) else {}
    options |= {"window": nn.integer(op.window)} if nn.integer(op.window) else {}
    options |= {"softcap": nn.number(op.softcap)} if nn.number(op.softcap) else {}
    text = f"{q.sizes} over {k.sizes}"
    e.launch("attention", "attention", q, k, v, out, *masks, comment=text, **options, **tiles.options)


def _paged_attention(e: Emitter, op: nn.PagedAttentionOp) -> None:
    dtype = float_dtype(op)
    q, k, v = (e.view(each) for each in (op.q, op.k_pages, op.v_pages))
    table, lengths = e.contiguous(e.view(op.table)), e.contiguous(e.view(op.lengths))
    (batch, heads, queries, d), (_, page, kv_heads, dv) = q.sizes, v.sizes
    tiles = decode_tiles(e.device, batch, kv_heads, table.sizes[1] * page, d, dv, dtype)
    out, parts = e.result(op.result, "attention"), []
    if tiles.splits > 1:
        rows = (batch, kv_heads, tiles.splits, heads // kv_heads * queries)
        parts = [e.buffer((*rows, size), "float32", kind) for kind, size in (("partial", dv), ("state", 2))]
    options: dict[str, object] = {"scale": nn.number(op.scale)}
    options |= {"window": nn.integer(op.window)} if nn.integer(op.window) else {}
    options |= {"softcap": nn.number(op.softcap)} if nn.number(op.softcap) else {}
    arguments = (q, k, v, table, lengths, out, *parts)
    text = f"{q.sizes} over pages {k.sizes}"
    e.launch("paged_attention", "paged_attention", *arguments, comment=text, **options, **tiles.options)


def _rotary(e: Emitter, op: nn.RotaryOp) -> None:
    float_dtype(op)
    x, cos, sin = e.view(op.x), e.contiguous(e.view(op.cos)), e.contiguous(e.view(op.sin))
    out = e.result(op.result, "rotary")
    options = _rows_options(e, prod(x.sizes[:3]), x.sizes[3], "block_rows", None)
    options |= {"interleaved": True} if nn.integer(op.interleaved) else {}
    e.launch("rotary", "rotary", x, cos, sin, out, comment=f"{x.sizes}", **options)


def _gather(e: Emitter, op: nn.GatherOp) -> None:
    axis, x = nn.integer(op.axis), e.view(op.x)
    outer, count, inner = prod(x.sizes[:axis]), x.sizes[axis], prod(x.sizes[axis + 1 :])
    indices = e.view(op.indices)
    picked = prod(indices.sizes)
    table, flat = e.contiguous(x, (outer, count, inner)), e.contiguous(indices, (picked,))
    out = e.result(op.result, "gather")
    options = _rows_options(e, outer * picked, inner, "block_rows", "block_n")
    at = replace(out, sizes=(outer, picked, inner), strides=(picked * inner, inner, 1))
    e.launch("gather", "gather", table, flat, at, comment=f"{out.sizes}", **options)


def _concat(e: Emitter, op: nn.ConcatOp) -> None:
    out, axis, first = e.result(op.results[0], "concat"), nn.integer(op.axis), 0
    for operand in op.operands:
        x = e.view(operand)
        whole = [(0, size, 1) for size in out.sizes]
        whole[axis] = (first, first + x.sizes[axis], 1)
        e.launch("copy", "copy", x, out.sliced(whole), block=1024, num_warps=4, comment=f"{x.sizes}")
        first += x.sizes[axis]


def _cast(e: Emitter, op: Operation) -> None:
    x, out = e.view(op.operands[0]), e.result(op.results[0], "cast")
    if "float" in x.dtype and "float" not in out.dtype:
        raise InputError([Diagnostic("triton-op", f"no Triton kernel computes a cast of {x.dtype} to {out.dtype}")])
    e.launch("copy", "copy", x, out, block=1024, num_warps=4, comment=f"{out.sizes} {x.dtype} -> {out.dtype}")


def _constant(e: Emitter, op: Operation) -> None:
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


def _split(e: Emitter, op: nn.SplitOp) -> None:
    x, axis, first = e.view(op.x), nn.integer(op.axis), 0
    for size, piece in zip(nn.ints(op.sizes), op.results, strict=True):
        bounds = [(0, s, 1) for s in x.sizes]
        bounds[axis] = (first, first + size, 1)
        e.bind(piece, x.sliced(bounds))
        first += size


def _pool(e: Emitter, op: nn.MaxPoolOp | nn.AveragePoolOp) -> None:
    float_dtype(op)
    x = e.contiguous(e.view(op.x))
    out = e.result(op.result, "pool")
    options: dict[str, object] = {"mean": isinstance(op, nn.AveragePoolOp), "kernel": nn.ints(op.kernel)}
    options |= {"strides": nn.ints(op.strides), "pads": nn.ints(op.pads), "dilations": nn.ints(op.dilations)}
    if isinstance(op, nn.AveragePoolOp) and nn.integer(op.count_pads):
        options["count_pads"] = True
    e.launch("pool", "pool", x, out, comment=f"{x.sizes} -> {out.sizes}", **options, block=256, num_warps=4)


def _route(e: Emitter, op: nn.RouteOp) -> None:
    float_dtype(op)
    if nn.integer(op.groups) != 1:
        raise InputError([Diagnostic("triton-op", "no Triton kernel picks experts in groups")])
    logits = e.contiguous(e.view(op.logits))
    bias = [] if op.bias is None else [e.contiguous(e.view(op.bias))]
    weights, experts = e.result(op.weights, "weights"), e.result(op.experts, "experts")
    options: dict[str, object] = {"sigmoid": True} if op.score.data == "sigmoid" else {}
    options |= {} if nn.integer(op.normalise) else {"normalise": False}
    options |= {"scale": nn.number(op.scale)} if nn.number(op.scale) != 1.0 else {}
    tokens, experts_there = logits.sizes
    options |= _rows_options(e, tokens, experts_there, "block_t", None)
    e.launch("route", "route", logits, weights, experts, *bias, comment=f"{logits.sizes}", **options)


def _dispatch(e: Emitter, op: nn.DispatchOp) -> None:
    x, experts = e.contiguous(e.view(op.x)), e.contiguous(e.view(op.experts))
    made = [e.result(value, kind) for value, kind in zip(op.results, ("rows", "order", "sizes"), strict=True)]
    options = {"block_p": 16, "block_n": min(256, 1 << max(0, x.sizes[1] - 1).bit_length()), "num_warps": 4}
    e.launch("dispatch", "dispatch", x, experts, *made, comment=f"{x.sizes} -> {made[0].sizes}", **options)


def _grouped_matmul(e: Emitter, op: nn.GroupedMatmulOp) -> None:
    dtype = float_dtype(op)
    if not isinstance(op.sizes.owner, nn.DispatchOp):
        raise InputError([Diagnostic("triton-op", "a Triton kernel multiplies groups that `nn.dispatch` made alone")])
    a, b = e.view(op.rows), e.view(op.w)
    b = b.transposed((0, 2, 1)) if nn.integer(op.transpose_b) else b
    out = e.result(op.result, "grouped")
    (groups, k, n), rows = b.sizes, a.sizes[0]
    tiles = matmul_tiles(e.device, Work(max(1, rows // groups), n, k, groups, dtype))
    text = f"{a.sizes} {b.sizes}"
    e.launch("grouped_matmul", "grouped_matmul", a, b, e.view(op.sizes), out, comment=text, **tiles.options)


def _combine(e: Emitter, op: nn.CombineOp) -> None:
    float_dtype(op)
    y, weights, order = (e.contiguous(e.view(each)) for each in (op.y, op.weights, op.order))
    out = e.result(op.result, "combine")
    block = min(256, 1 << max(0, y.sizes[1] - 1).bit_length())
    e.launch("dispatch", "combine", y, weights, order, out, comment=f"{out.sizes}", block_n=block, num_warps=4)


WRITERS: Mapping[type[Operation], Callable[[Emitter, Any], None]] = {
    nn.WeightOp: lambda e, op: e.weight_op(op),
    nn.FillOp: _constant,
    nn.IotaOp: _constant,
    nn.ReshapeOp: lambda e, op: e.bind(op.result, e.reshaped(e.view(op.x), nn.shape_of(op.result))),
    nn.TransposeOp: lambda e, op: e.bind(op.result, e.view(op.x).transposed(nn.ints(op.permutation))),
    nn.SliceOp: lambda e, op: e.bind(op.result, e.view(op.x).sliced(op.bounds())),
    nn.BroadcastOp: lambda e, op: e.bind(op.result, e.view(op.x).broadcast(nn.shape_of(op.result))),
    nn.SplitOp: _split,
    nn.ConcatOp: _concat,
    nn.CastOp: _cast,
    nn.GatherOp: _gather,
    nn.FusionOp: lambda e, op: write_fusion(e, op, write_op),
    nn.MatmulOp: write_product,
    nn.GemmOp: write_product,
    nn.ConvOp: write_product,
    nn.LayerNormOp: _norm,
    nn.RmsNormOp: _norm,
    nn.GroupNormOp: _norm,
    nn.SoftmaxOp: _softmax,
    nn.ReduceOp: _reduce,
    nn.AttentionOp: _attention,
    nn.PagedAttentionOp: _paged_attention,
    nn.RotaryOp: _rotary,
    nn.MaxPoolOp: _pool,
    nn.AveragePoolOp: _pool,
    nn.RouteOp: _route,
    nn.DispatchOp: _dispatch,
    nn.GroupedMatmulOp: _grouped_matmul,
    nn.CombineOp: _combine,
}
"""Operator -> what writes its launches; scalar functions are apart."""
