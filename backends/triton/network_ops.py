"""The kernels that each operator of a network launches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from xdsl.ir import Operation

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from .attention_tiles import ranked_attention_tiles, ranked_decode_tiles
from .launches import tried
from .network import Emitter
from .network_choices import (
    write_arg_max,
    write_comparison,
    write_cum_sum,
    write_dequantise,
    write_quantise,
    write_top_k,
    write_where,
)
from .network_movement import (
    write_cast,
    write_concat,
    write_constant,
    write_gather,
    write_gather_elements,
    write_pad,
    write_resize,
    write_reverse,
    write_scatter,
    write_split,
)
from .network_products import SCALARS, float_dtype, write_chain, write_fusion, write_product
from .network_windows import write_conv_transpose, write_pool
from .row_tiles import ranked_row_tiles, reduction_tiles
from .tiles import Work
from .views import View


def write_op(e: Emitter, op: Operation) -> None:
    """The launches of `op`; InputError for an operator that no kernel computes."""
    if isinstance(op, SCALARS):
        write_chain(e, [op])
    elif type(op) in WRITERS:
        WRITERS[type(op)](e, op)
    else:
        raise InputError([Diagnostic("triton-op", f"no Triton kernel computes `{op.name}`")])


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
    tiles = e.row_tiles(rows, n, "block_rows", "block_n")
    flat = replace(out, sizes=(rows, n), strides=(n, 1))
    e.launch_tiled(tiles, "norm", "norm", e.contiguous(x, (rows, n)), flat, *texts, comment=f"{x.sizes}", **options)


def _softmax(e: Emitter, op: nn.SoftmaxOp) -> None:
    float_dtype(op)
    x, axis = e.view(op.x), nn.integer(op.axis)
    out = e.result(op.result, "softmax")
    n = x.sizes[axis]
    tiles = e.row_tiles(prod(x.sizes) // max(1, n), n, "block_kept", "block_n")
    e.launch_tiled(tiles, "softmax", "softmax", x, out, comment=f"{x.sizes}", axis=axis)


def _reduce(e: Emitter, op: nn.ReduceOp) -> None:
    float_dtype(op)
    x, axes = e.view(op.x), tuple(nn.ints(op.axes))
    out = e.result(op.result, op.kind.data)
    n = prod(x.sizes[a] for a in axes)
    kept = prod(x.sizes) // max(1, n)
    along = not axes or axes[-1] == len(x.sizes) - 1
    first, splits = reduction_tiles(e.device, kept, max(1, n), along)
    options: dict[str, object] = {"axes": axes, "kind": op.kind.data}
    parts: list[View] = []
    if splits > 1:
        parts, options["splits"] = [e.buffer((splits, kept), "float32", "parts")], splits
    tiles = tried(each.options("block_kept", "block_n") for each in ranked_row_tiles(e.device, first))
    e.launch_tiled(tiles, "reduce", "reduce", x, out, *parts, comment=f"{x.sizes} -> {out.sizes}", **options)


def _attention(e: Emitter, op: nn.AttentionOp) -> None:
    dtype = float_dtype(op)
    q, k, v = (e.view(each) for each in (op.q, op.k, op.v))
    out = e.result(op.result, "attention")
    masks = [] if op.mask is None else [e.view(op.mask)]
    sizes = (q.sizes[0] * q.sizes[1], q.sizes[2], k.sizes[2], q.sizes[3], v.sizes[3])
    tiles = tried(each.options for each in ranked_attention_tiles(e.device, *sizes, dtype))
    options: dict[str, object] = {"scale": nn.number(op.scale)}
    options |= {"causal": True} if nn.integer(op.causal) else {}
    options |= {"window": nn.integer(op.window)} if nn.integer(op.window) else {}
    options |= {"softcap": nn.number(op.softcap)} if nn.number(op.softcap) else {}
    text = f"{q.sizes} over {k.sizes}"
    e.launch_tiled(tiles, "attention", "attention", q, k, v, out, *masks, comment=text, **options)


def _paged_attention(e: Emitter, op: nn.PagedAttentionOp) -> None:
    dtype = float_dtype(op)
    q, k, v = (e.view(each) for each in (op.q, op.k_pages, op.v_pages))
    table, lengths = e.contiguous(e.view(op.table)), e.contiguous(e.view(op.lengths))
    (batch, heads, queries, d), (_, page, kv_heads, dv) = q.sizes, v.sizes
    ranked = ranked_decode_tiles(e.device, batch, kv_heads, table.sizes[1] * page, d, dv, dtype)
    splits = ranked[0].splits
    out, parts = e.result(op.result, "attention"), []
    if splits > 1:
        rows = (batch, kv_heads, splits, heads // kv_heads * queries)
        parts = [e.buffer((*rows, size), "float32", kind) for kind, size in (("partial", dv), ("state", 2))]
    options: dict[str, object] = {"scale": nn.number(op.scale)}
    options |= {"window": nn.integer(op.window)} if nn.integer(op.window) else {}
    options |= {"softcap": nn.number(op.softcap)} if nn.number(op.softcap) else {}
    arguments = (q, k, v, table, lengths, out, *parts)
    text = f"{q.sizes} over pages {k.sizes}"
    tiles = tried(each.options for each in ranked)
    e.launch_tiled(tiles, "paged_attention", "paged_attention", *arguments, comment=text, **options)


def _rotary(e: Emitter, op: nn.RotaryOp) -> None:
    float_dtype(op)
    x, cos, sin = e.view(op.x), e.contiguous(e.view(op.cos)), e.contiguous(e.view(op.sin))
    out = e.result(op.result, "rotary")
    tiles = e.row_tiles(prod(x.sizes[:3]), x.sizes[3], "block_rows", None)
    options: dict[str, object] = {"interleaved": True} if nn.integer(op.interleaved) else {}
    e.launch_tiled(tiles, "rotary", "rotary", x, cos, sin, out, comment=f"{x.sizes}", **options)


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
    tiles = e.row_tiles(tokens, experts_there, "block_t", None)
    e.launch_tiled(tiles, "route", "route", logits, weights, experts, *bias, comment=f"{logits.sizes}", **options)


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
    tiles = e.product_tiles(Work(max(1, rows // groups), n, k, groups, dtype))
    text = f"{a.sizes} {b.sizes}"
    e.launch_tiled(tiles, "grouped_matmul", "grouped_matmul", a, b, e.view(op.sizes), out, comment=text)


def _combine(e: Emitter, op: nn.CombineOp) -> None:
    float_dtype(op)
    y, weights, order = (e.contiguous(e.view(each)) for each in (op.y, op.weights, op.order))
    out = e.result(op.result, "combine")
    block = min(256, 1 << max(0, y.sizes[1] - 1).bit_length())
    e.launch("dispatch", "combine", y, weights, order, out, comment=f"{out.sizes}", block_n=block, num_warps=4)


WRITERS: Mapping[type[Operation], Callable[[Emitter, Any], None]] = {
    nn.WeightOp: lambda e, op: e.weight_op(op),
    nn.FillOp: write_constant,
    nn.IotaOp: write_constant,
    nn.ReshapeOp: lambda e, op: e.bind(op.result, e.reshaped(e.view(op.x), nn.shape_of(op.result))),
    nn.TransposeOp: lambda e, op: e.bind(op.result, e.view(op.x).transposed(nn.ints(op.permutation))),
    nn.SliceOp: lambda e, op: e.bind(op.result, e.view(op.x).sliced(op.bounds())),
    nn.BroadcastOp: lambda e, op: e.bind(op.result, e.view(op.x).broadcast(nn.shape_of(op.result))),
    nn.SplitOp: write_split,
    nn.ConcatOp: write_concat,
    nn.CastOp: write_cast,
    nn.GatherOp: write_gather,
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
    nn.MaxPoolOp: write_pool,
    nn.AveragePoolOp: write_pool,
    nn.RouteOp: _route,
    nn.DispatchOp: _dispatch,
    nn.GroupedMatmulOp: _grouped_matmul,
    nn.CombineOp: _combine,
    **dict.fromkeys(nn.COMPARISONS, write_comparison),
    nn.WhereOp: write_where,
    nn.ArgMaxOp: write_arg_max,
    nn.TopKOp: write_top_k,
    nn.CumSumOp: write_cum_sum,
    nn.QuantiseOp: write_quantise,
    nn.DequantiseOp: write_dequantise,
    nn.ReverseOp: write_reverse,
    nn.PadOp: write_pad,
    nn.ResizeOp: write_resize,
    nn.ScatterOp: write_scatter,
    nn.GatherElementsOp: write_gather_elements,
    nn.ConvTransposeOp: write_conv_transpose,
}
"""Operator -> what writes its launches; scalar functions are apart."""
