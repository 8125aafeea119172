"""`decompose-experts`: routing, dispatch, grouped products and combination as plain tensor ops."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from xdsl.dialects.builtin import i64
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass


def route(op: nn.RouteOp, draft: Draft) -> Replacement:
    """
    before: %w, %e = "nn.route"(%logits, %bias) {k, score, normalise, scale, groups, top_groups, group_best}
    after:  %s = softmax(logits), or sigmoid;  %e = top k of %s + bias;  %w = %s at %e, over their sum, times scale
    """
    score = nn.SoftmaxOp if op.score.data == "softmax" else nn.SigmoidOp
    axis: dict[str, Any] = {"axis": 1} if score is nn.SoftmaxOp else {}
    scores = draft.emit(op, score, op.logits, **axis)
    liked = scores if op.bias is None else draft.emit(op, nn.AddOp, scores, op.bias)
    if nn.integer(op.top_groups) < nn.integer(op.groups):
        liked = _within_groups(op, liked, draft)
    experts = _top(op, liked, nn.integer(op.k), 1, draft)[1]
    weights = draft.emit(op, nn.GatherElementsOp, scores, experts, axis=1)
    if nn.integer(op.normalise):
        weights = draft.emit(op, nn.DivOp, weights, draft.emit(op, nn.ReduceOp, weights, kind="sum", axes=(1,)))
    return [draft.emit(op, nn.MulOp, weights, draft.scalar(op, nn.number(op.scale), weights)), experts]


def _within_groups(op: nn.RouteOp, liked: SSAValue, draft: Draft) -> SSAValue:
    """What is liked of the experts in the best groups; minus infinity for the others."""
    tokens, experts = nn.shape_of(liked)
    groups = nn.integer(op.groups)
    grouped = draft.emit(op, nn.ReshapeOp, liked, type=nn.with_shape(liked, (tokens, groups, experts // groups)))
    best = _top(op, grouped, nn.integer(op.group_best), 2, draft)[0]
    of_group = draft.emit(op, nn.ReduceOp, best, kind="sum", axes=(2,))
    flat = draft.emit(op, nn.ReshapeOp, of_group, type=nn.with_shape(of_group, (tokens, groups)))
    picked = _top(op, flat, nn.integer(op.top_groups), 1, draft)[1]
    column = draft.emit(op, nn.ReshapeOp, picked, type=nn.with_shape(picked, (tokens, 1, nn.integer(op.top_groups))))
    each = draft.emit(op, nn.IotaOp, type=nn.tensor(i64, (1, groups, 1)), axis=1)
    taken = draft.emit(op, nn.ReduceOp, draft.emit(op, nn.EqualOp, column, each), kind="max", axes=(2,))
    kept = draft.emit(op, nn.WhereOp, taken, grouped, draft.scalar(op, -inf, liked))
    return draft.emit(op, nn.ReshapeOp, kept, type=nn.with_shape(liked, (tokens, experts)))


def dispatch(op: nn.DispatchOp, draft: Draft) -> Replacement:
    """
    before: %rows, %order, %sizes = "nn.dispatch"(%x, %experts) {count = e}
    after:  %order = stable order of the flat experts;  %rows = x at %order / k;  %sizes = how often each expert stands

    (L1) The number of rows is known: it is an attribute of the search that sorts.
    """
    tokens, picks = nn.shape_of(op.experts)
    rows, count = tokens * picks, nn.integer(op.count)
    if isinstance(rows, nn.Size):
        return None
    flat = draft.emit(op, nn.ReshapeOp, op.experts, type=nn.tensor(i64, (rows,)))
    order = _sorted(op, flat, rows, draft)
    token = draft.emit(op, nn.DivOp, order, draft.scalar(op, picks, order))
    row = draft.emit(op, nn.ReshapeOp, flat, type=nn.tensor(i64, (1, rows)))
    each = draft.emit(op, nn.IotaOp, type=nn.tensor(i64, (count, 1)), axis=0)
    equal = draft.emit(op, nn.EqualOp, row, each)
    ones = draft.emit(op, nn.CastOp, equal, type=nn.tensor(i64, (count, rows)))
    sizes = draft.emit(op, nn.ReduceOp, ones, kind="sum", axes=(1,))
    found = draft.emit(op, nn.ReshapeOp, sizes, type=nn.tensor(i64, (count,)))
    return [draft.emit(op, nn.GatherOp, op.x, token, axis=0), order, found]


def grouped_matmul(op: nn.GroupedMatmulOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.grouped_matmul"(%rows, %w, %sizes)
    after:  %p = rows w[e] for every expert e: (e, r, n);  %y = sum over e of %p where a row is one of e's, else 0

    Every row meets every expert, so it does as many times the flops as there are experts.
    """
    rows, (experts, *_) = nn.shape_of(op.rows)[0], nn.shape_of(op.w)
    w = draft.emit(op, nn.TransposeOp, op.w, permutation=(0, 2, 1)) if nn.integer(op.transpose_b) else op.w
    products = draft.emit(op, nn.MatmulOp, op.rows, w)
    column = nn.tensor(i64, (experts, 1, 1))
    ends = draft.emit(op, nn.CumSumOp, op.sizes, axis=0)
    starts = draft.emit(op, nn.SubOp, ends, op.sizes)
    first, last = (draft.emit(op, nn.ReshapeOp, value, type=column) for value in (starts, ends))
    row = draft.emit(op, nn.IotaOp, type=nn.tensor(i64, (1, rows, 1)), axis=1)
    own = draft.emit(op, nn.AndOp, draft.emit(op, nn.LessEqualOp, first, row), draft.emit(op, nn.LessOp, row, last))
    kept = draft.emit(op, nn.WhereOp, own, products, draft.scalar(op, 0.0, op.rows))
    total = draft.emit(op, nn.ReduceOp, kept, kind="sum", axes=(0,))
    return [draft.emit(op, nn.ReshapeOp, total, type=op.type)]


def combine(op: nn.CombineOp, draft: Draft) -> Replacement:
    """
    before: %z = "nn.combine"(%y, %weights, %order)
    after:  %u = y in the order of the picks: (tokens, k, width);  %z = sum over k of %u * weights

    (L1) The number of rows is known, as for dispatch.
    """
    (tokens, picks), (rows, width) = nn.shape_of(op.weights), nn.shape_of(op.y)
    if isinstance(rows, nn.Size):
        return None
    of_pick = draft.emit(op, nn.GatherOp, op.y, _sorted(op, op.order, rows, draft), axis=0)
    cube = draft.emit(op, nn.ReshapeOp, of_pick, type=nn.with_shape(op.y, (tokens, picks, width)))
    factor = draft.emit(op, nn.ReshapeOp, op.weights, type=nn.with_shape(op.weights, (tokens, picks, 1)))
    total = draft.emit(op, nn.ReduceOp, draft.emit(op, nn.MulOp, cube, factor), kind="sum", axes=(1,))
    return [draft.emit(op, nn.ReshapeOp, total, type=op.type)]


def _sorted(op: Operation, values: SSAValue, count: int, draft: Draft) -> SSAValue:
    """Where the `count` values stand, smallest first, of equal ones the first one first."""
    return _top(op, draft.emit(op, nn.NegOp, values), count, 0, draft)[1]


def _top(op: Operation, x: SSAValue, k: int, axis: int, draft: Draft) -> tuple[SSAValue, SSAValue]:
    found = draft.put(op, nn.TopKOp.make(x, k=k, axis=axis))
    return found.results[0], found.results[1]


PATTERNS: Patterns = {
    nn.RouteOp: [("route-apart", route)],
    nn.DispatchOp: [("dispatch-apart", dispatch)],
    nn.GroupedMatmulOp: [("grouped-matmul-apart", grouped_matmul)],
    nn.CombineOp: [("combine-apart", combine)],
}


@dataclass(frozen=True)
class DecomposeExpertsPass(NnPass):
    """
    Turns the ops of a mixture of experts into searches, gathers, products and sums.

    Promise: `main` computes the same but for rounding; the new ops have the location of what they stand for. For
    targets without kernels for groups: it never pays, since every row meets every expert.
    """

    name: ClassVar[str] = "decompose-experts"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
