"""`decompose-attention`: attention as products and a softmax, attention over pages as gathers, rotary as arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from xdsl.dialects.builtin import i64
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass

FAR_BELOW = {"f16": -65504.0}
"""Element type -> a number that no score is below, but minus infinity; -1e30 for others."""


def attention(op: nn.AttentionOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.attention"(%q, %k, %v, %mask) {scale = c, causal, window, softcap}
    after:  %s = softcap(q k^T * c) + mask, minus infinity where causal or window hide a key
            %y = softmax(%s) v

    Heads of queries that share keys become an axis of their own, along which the product broadcasts. With a mask,
    which may hide every key of a query, the softmax is spelled out so that such a query gives 0.

    (L1) With causal or a window, it is known how many keys come before the first query.
    """
    shape = (*nn.shape_of(op.q)[:3], nn.shape_of(op.k)[2])
    hides = bool(nn.integer(op.causal)) or nn.integer(op.window) > 0
    if hides and isinstance(shape[3] - shape[2], nn.Size):
        return None
    q, k, v, mask = _grouped(op, draft)
    rank = len(nn.shape_of(q))
    turned = draft.emit(op, nn.TransposeOp, k, permutation=(*range(rank - 2), rank - 1, rank - 2))
    scores = draft.emit(op, nn.MatmulOp, q, turned)
    scores = draft.emit(op, nn.MulOp, scores, draft.scalar(op, nn.number(op.scale), scores))
    if cap := nn.number(op.softcap):
        number = draft.scalar(op, cap, scores)
        curve = draft.emit(op, nn.TanhOp, draft.emit(op, nn.DivOp, scores, number))
        scores = draft.emit(op, nn.MulOp, curve, number)
    if mask is not None:
        scores = draft.emit(op, nn.AddOp, scores, mask)
    if hides:
        seen = _seen(op, shape[2], shape[3], draft)
        scores = draft.emit(op, nn.WhereOp, seen, scores, draft.scalar(op, -inf, scores))
    if mask is None:
        shares = draft.emit(op, nn.SoftmaxOp, scores, axis=rank - 1)
    else:
        shares = _softmax_or_zero(op, scores, draft)
    result = draft.emit(op, nn.MatmulOp, shares, v)
    return [result if rank == 4 else draft.emit(op, nn.ReshapeOp, result, type=op.type)]


def _grouped(op: nn.AttentionOp, draft: Draft) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue | None]:
    """q, k, v and the mask, with an axis for the query heads of each key head where there are several."""
    (batch, heads, queries, width), (_, shared, keys, _) = nn.shape_of(op.q), nn.shape_of(op.k)
    if heads == shared:
        return op.q, op.k, op.v, op.mask
    group = heads // shared

    def view(value: SSAValue, shape: tuple[int, ...]) -> SSAValue:
        return draft.emit(op, nn.ReshapeOp, value, type=nn.with_shape(value, shape))

    mask = op.mask
    if mask is not None:
        own = (1,) * (4 - len(nn.shape_of(mask))) + nn.shape_of(mask)
        mask = view(mask, (own[0], 1, 1, *own[2:]) if own[1] == 1 else (own[0], shared, group, *own[2:]))
    out = nn.shape_of(op.v)[3]
    return (
        view(op.q, (batch, shared, group, queries, width)),
        view(op.k, (batch, shared, 1, keys, width)),
        view(op.v, (batch, shared, 1, keys, out)),
        mask,
    )


def _seen(op: nn.AttentionOp, queries: int, keys: int, draft: Draft) -> SSAValue:
    """Which key each query sees, (queries, keys) of i1, by causal and window."""
    table = nn.tensor(i64, (queries, keys))
    query = draft.emit(op, nn.IotaOp, type=table, axis=0)
    key = draft.emit(op, nn.IotaOp, type=table, axis=1)
    place = draft.emit(op, nn.AddOp, query, draft.scalar(op, keys - queries, query))
    seen = draft.emit(op, nn.LessEqualOp, key, place) if nn.integer(op.causal) else None
    if window := nn.integer(op.window):
        first = draft.emit(op, nn.SubOp, place, draft.scalar(op, window, place))
        near = draft.emit(op, nn.LessOp, first, key)
        seen = near if seen is None else draft.emit(op, nn.AndOp, seen, near)
    assert seen is not None
    return seen


def _softmax_or_zero(op: nn.AttentionOp, scores: SSAValue, draft: Draft) -> SSAValue:
    """
    The softmax of `scores` over the last axis, and 0 where all of them are minus infinity.

    Where any is finite the sum of the powers is at least 1, that of the largest, so a sum cut off at 1 is the sum.
    """
    last = (len(nn.shape_of(scores)) - 1,)
    far = FAR_BELOW.get(str(nn.tensor_type(scores).element_type), -1e30)
    most = draft.emit(op, nn.ReduceOp, scores, kind="max", axes=last)
    shift = draft.emit(op, nn.MaxOp, most, draft.scalar(op, far, scores))
    powers = draft.emit(op, nn.ExpOp, draft.emit(op, nn.SubOp, scores, shift))
    total = draft.emit(op, nn.ReduceOp, powers, kind="sum", axes=last)
    return draft.emit(op, nn.DivOp, powers, draft.emit(op, nn.MaxOp, total, draft.scalar(op, 1.0, scores)))


def paged_attention(op: nn.PagedAttentionOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.paged_attention"(%q, %kp, %vp, %table, %lengths)
    after:  %k = gather(%kp, %table) as (b, hkv, n, d), %v alike, for n = blocks x block
            %mask = 0 where a key is not behind its query (and in the window), else minus infinity: (b, 1, m, n)
            %y = "nn.attention"(%q, %k, %v, %mask)

    Entries of the table that are not read become page 0, which is there.
    """
    (batch, _, queries, _), (_, block, _, _) = nn.shape_of(op.q), nn.shape_of(op.k_pages)
    blocks = nn.shape_of(op.table)[1]
    rows = blocks * block
    lengths = draft.emit(op, nn.ReshapeOp, op.lengths, type=nn.tensor(i64, (batch, 1)))
    start = draft.emit(op, nn.IotaOp, type=nn.tensor(i64, (1, blocks)), axis=1)
    start = draft.emit(op, nn.MulOp, start, draft.scalar(op, block, start))
    used = draft.emit(op, nn.LessOp, start, lengths)
    table = draft.emit(op, nn.WhereOp, used, op.table, draft.scalar(op, 0, op.table))
    k, v = (_from_pages(op, pages, table, rows, draft) for pages in (op.k_pages, op.v_pages))
    key = draft.emit(op, nn.IotaOp, type=nn.tensor(i64, (1, 1, 1, rows)), axis=3)
    query = draft.emit(op, nn.IotaOp, type=nn.tensor(i64, (1, 1, queries, 1)), axis=2)
    ends = draft.emit(op, nn.ReshapeOp, lengths, type=nn.tensor(i64, (batch, 1, 1, 1)))
    place = draft.emit(op, nn.SubOp, draft.emit(op, nn.AddOp, query, ends), draft.scalar(op, queries, query))
    seen = draft.emit(op, nn.LessEqualOp, key, place)
    if window := nn.integer(op.window):
        first = draft.emit(op, nn.SubOp, place, draft.scalar(op, window, place))
        seen = draft.emit(op, nn.AndOp, seen, draft.emit(op, nn.LessOp, first, key))
    mask = draft.emit(op, nn.WhereOp, seen, draft.scalar(op, 0.0, op.q), draft.scalar(op, -inf, op.q))
    attributes: dict[str, Any] = {"scale": op.scale, "softcap": op.softcap}
    return [draft.emit(op, nn.AttentionOp, op.q, k, v, mask, **attributes)]


def _from_pages(op: nn.PagedAttentionOp, pages: SSAValue, table: SSAValue, rows: int, draft: Draft) -> SSAValue:
    """(b, heads, rows, width) from (pages, block, heads, width) by the table."""
    gathered = draft.emit(op, nn.GatherOp, pages, table, axis=0)
    batch, _, _, heads, width = nn.shape_of(gathered)
    flat = draft.emit(op, nn.ReshapeOp, gathered, type=nn.with_shape(pages, (batch, rows, heads, width)))
    return draft.emit(op, nn.TransposeOp, flat, permutation=(0, 2, 1, 3))


def rotary(op: nn.RotaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.rotary"(%x, %cos, %sin)
    after:  %a, %b = halves of the first r elements (every other one where interleaved)
            %y = concat(a cos - b sin, b cos + a sin, the others)
    """
    batch, heads, tokens, width = nn.shape_of(op.x)
    half = nn.shape_of(op.cos)[-1]
    apart = nn.integer(op.interleaved)
    cos, sin = (_over_heads(op, table, draft) for table in (op.cos, op.sin))
    places = ((0, 2 * half, 2), (1, 2 * half, 2)) if apart else ((0, half, 1), (half, 2 * half, 1))
    a, b = (_part(op, op.x, place, draft) for place in places)

    def turned(first: SSAValue, second: SSAValue, kind: type[nn.BinaryOp]) -> SSAValue:
        left, right = draft.emit(op, nn.MulOp, first, cos), draft.emit(op, nn.MulOp, second, sin)
        return draft.emit(op, kind, left, right)

    pair = [turned(a, b, nn.SubOp), turned(b, a, nn.AddOp)]
    if apart:
        column = nn.with_shape(op.x, (batch, heads, tokens, half, 1))
        columns = [draft.emit(op, nn.ReshapeOp, value, type=column) for value in pair]
        both = draft.emit(op, nn.ConcatOp, *columns, axis=4)
        pair = [draft.emit(op, nn.ReshapeOp, both, type=nn.with_shape(op.x, (batch, heads, tokens, 2 * half)))]
    if 2 * half < width:
        pair.append(_part(op, op.x, (2 * half, width, 1), draft))
    return [pair[0] if len(pair) == 1 else draft.emit(op, nn.ConcatOp, *pair, axis=3)]


def _over_heads(op: nn.RotaryOp, table: SSAValue, draft: Draft) -> SSAValue:
    """A table (s, r / 2) as it is, one (b, s, r / 2) with an axis for the heads."""
    shape = nn.shape_of(table)
    if len(shape) == 2:
        return table
    return draft.emit(op, nn.ReshapeOp, table, type=nn.with_shape(table, (shape[0], 1, *shape[1:])))


def _part(op: Operation, x: SSAValue, place: tuple[int, int, int], draft: Draft) -> SSAValue:
    """Elements `place` (start, limit, step) of the last axis."""
    start, limit, step = place
    others = len(nn.shape_of(x)) - 1
    bounds: dict[str, Any] = {"starts": (*[0] * others, start), "limits": (*[nn.END] * others, limit)}
    steps: dict[str, Any] = {"steps": (*[1] * others, step)} if step > 1 else {}
    return draft.emit(op, nn.SliceOp, x, **bounds, **steps)


PATTERNS: Patterns = {
    nn.PagedAttentionOp: [("paged-attention-apart", paged_attention)],
    nn.AttentionOp: [("attention-apart", attention)],
    nn.RotaryOp: [("rotary-apart", rotary)],
}


@dataclass(frozen=True)
class DecomposeAttentionPass(NnPass):
    """
    Turns attention over pages into attention, that into products and a softmax, and rotary embedding into arithmetic.

    Promise: `main` computes the same but for rounding; the new ops have the location of what they stand for. For
    targets that have no kernel for the whole: by the cost rules it never pays, since the scores are stored.
    """

    name: ClassVar[str] = "decompose-attention"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
