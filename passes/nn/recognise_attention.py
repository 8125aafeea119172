"""`recognise-attention`: two products around a softmax become one op, which never stores the scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, location_of, sweep
from .heads import lifted, swapped, unrepeated
from .masks import Visible, constant_is_minus_infinity, visible_in_choice, visible_in_sum
from .match import constant, only_for, scaled
from .nn_pass import NnPass

AT_ONCE = (64, 64)
"""queries and keys of the tile that one block works on: a usual choice"""


@dataclass(frozen=True)
class Scores:
    """softcap(factor q k^T) + mask, where some keys are hidden, read backwards from the softmax."""

    value: SSAValue
    factor: float = 1.0
    mask: SSAValue | None = None
    visible: Visible | None = None
    hidden: tuple[SSAValue, bool] | None = None
    """a condition that is only known at run time, and its value where keys are seen"""
    softcap: float = 0.0
    ops: tuple[Operation, ...] = field(default=())


def attention(op: nn.MatmulOp, draft: Draft) -> Replacement:
    """
    before: %s = "nn.matmul"(%q, "nn.transpose"(%k));  %t = %s * scale + mask
            %p = "nn.softmax"(%t) {axis = last};  %y = "nn.matmul"(%p, %v)
    after:  %y = "nn.attention"(%q, %k, %v, %mask) {scale, causal, window, softcap}

    The scale may stand on q, on k or on the scores; keys and values may be repeated for groups of query heads; a mask
    may be added or chosen (`where`), and is turned into `causal` and `window` where its values say so.

    (L1) q, k and v have two to four axes, those before the last two equal. (L2) The softmax is over the keys. (L3)
    Nothing else uses what is in between. (L4) A mask broadcasts to the scores. (L5) A choice hides scores behind minus
    infinity, or, where it is known which, behind a number at or below -1e9, and each query sees a key.
    """
    softmax = op.a.owner
    if not isinstance(softmax, nn.SoftmaxOp) or nn.integer(softmax.axis) != len(nn.shape_of(softmax.x)) - 1:
        return None
    shape = nn.shape_of(softmax.x)
    scores = _read(Scores(softmax.x), shape, draft)
    product = scores.value.owner
    if not isinstance(product, nn.MatmulOp) or not 2 <= len(shape) <= 4 or nn.shape_of(product.result) != shape:
        return None
    if not (len(nn.shape_of(product.a)) == len(nn.shape_of(product.b)) == len(nn.shape_of(op.b)) == len(shape)):
        return None
    if not (nn.shape_of(product.a)[:-2] == nn.shape_of(product.b)[:-2] == nn.shape_of(op.b)[:-2] == shape[:-2]):
        return None
    inside = [product, *scores.ops, softmax]
    return _emit(op, draft, scores, product, inside) if can_replace(op, inside) else None


def _read(scores: Scores, shape: nn.Shape, draft: Draft) -> Scores:
    """`scores` followed back to the product of queries and keys."""
    while (inner := _step(scores, shape, draft)) is not None:
        scores = inner
    return scores


def _step(scores: Scores, shape: nn.Shape, draft: Draft) -> Scores | None:
    """One op further back; None at the product, or at what cannot be part of an attention."""
    op = scores.value.owner
    match op:
        case nn.AddOp() if not _is_capped(scores):
            return _added(scores, op, shape, draft)
        case nn.WhereOp() if not _is_capped(scores):
            return _chosen(scores, op, shape, draft)
        case nn.MulOp() | nn.DivOp():
            return _factored(scores, op)
    return None


def _is_capped(scores: Scores) -> bool:
    """Whether what is behind is inside a scale or a softcap, where a mask would mean something else."""
    return scores.factor != 1.0 or scores.softcap != 0.0


def _added(scores: Scores, op: nn.BinaryOp, shape: nn.Shape, draft: Draft) -> Scores | None:
    for value, mask in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        if _leads_to_product(value) and nn.shape_of(value) == shape:
            step = replace(scores, value=value, ops=(op, *scores.ops))
            visible = visible_in_sum(mask, shape[-2], shape[-1], draft) if scores.visible is None else None
            if visible is not None:
                return replace(step, visible=visible)
            return replace(step, mask=mask) if scores.mask is None and scores.hidden is None else None
    return None


def _chosen(scores: Scores, op: nn.WhereOp, shape: nn.Shape, draft: Draft) -> Scores | None:
    for value, other, shown in ((op.x, op.y, True), (op.y, op.x, False)):
        if not constant_is_minus_infinity(other) or nn.shape_of(value) != shape:
            continue
        step = replace(scores, value=value, ops=(op, *scores.ops))
        seen = visible_in_choice(op.condition, shown, shape[-2], shape[-1], draft) if scores.visible is None else None
        if seen is not None:
            return replace(step, visible=seen)
        free = scores.hidden is None and scores.mask is None
        return replace(step, hidden=(op.condition, shown)) if free and constant(other) == -inf else None
    return None


def _factored(scores: Scores, op: Operation) -> Scores | None:
    product = scaled(op.results[0])
    value, factor = product.sole(), product.factor
    if value is None or not product.ops:
        return None
    if isinstance(value.owner, nn.TanhOp) and scores.softcap == 0.0 and scores.factor == 1.0 and factor > 0:
        inner = scaled(value.owner.x)
        behind = inner.sole()
        if behind is None:
            return None
        ops = (*reversed(inner.ops), value.owner, *reversed(product.ops), *scores.ops)
        return replace(scores, value=behind, factor=inner.factor * factor, softcap=factor, ops=ops)
    return replace(scores, value=value, factor=scores.factor * factor, ops=(*reversed(product.ops), *scores.ops))


def _leads_to_product(value: SSAValue, depth: int = 8) -> bool:
    """Whether a product of two matrices is a few scalings, choices or sums behind `value`."""
    op = value.owner
    match op:
        case nn.MatmulOp():
            return True
        case nn.MulOp() | nn.DivOp():
            behind = [operand for operand in op.operands if constant(operand) is None]
        case nn.TanhOp() | nn.AddOp():
            behind = list(op.operands)
        case nn.WhereOp():
            behind = [operand for operand in (op.x, op.y) if constant(operand) is None]
        case _:
            return False
    return depth > 0 and any(_leads_to_product(each, depth - 1) for each in behind)


def _emit(op: nn.MatmulOp, draft: Draft, scores: Scores, product: nn.MatmulOp, inside: list[Operation]) -> Replacement:
    rank, places = len(nn.shape_of(op.result)), location_of([*inside, op])
    factor = scores.factor
    queries, on_queries = _without_scale(product.a)
    turned, before_turn = _without_scale(product.b)
    keys, after_turn = _without_scale(swapped(turned, op, draft))
    factor *= on_queries * before_turn * after_turn
    operands = [queries, keys, op.b]
    fewer = [unrepeated(value, op, draft) for value in operands[1:]] if rank == 4 else [None, None]
    if fewer[0] is not None and fewer[1] is not None and nn.shape_of(fewer[0])[1] == nn.shape_of(fewer[1])[1]:
        operands[1:] = [fewer[0], fewer[1]]
    mask = _mask(scores, op, draft)
    operands = [lifted(value, op, draft) for value in operands]
    attributes: dict[str, Any] = {"scale": factor, "softcap": scores.softcap}
    if scores.visible is not None:
        attributes |= {"causal": int(scores.visible.causal), "window": scores.visible.window}
    made = nn.AttentionOp.make(*operands, mask, **attributes)
    for helper in reversed(draft.fresh):  # the transpose of repeated keys, where those that are repeated took its place
        draft.erase(helper)
    helpers = [
        helper
        for helper in draft.fresh
        if helper.parent is not None and isinstance(helper, nn.TransposeOp | nn.WhereOp)
    ]
    if not should_replace(draft, [*inside, op, *_only_before(product)], [*helpers, made]):
        made.drop_all_references()
        for helper in reversed(draft.fresh):
            draft.erase(helper)
        return None
    draft.put(op, made)
    made.location = places
    result = made.result
    return [result if rank == 4 else draft.emit(op, nn.ReshapeOp, result, type=op.type)]


def _without_scale(value: SSAValue) -> tuple[SSAValue, float]:
    """What `value` is times a number, and the number."""
    part = scaled(value)
    inner = part.sole()
    return (value, 1.0) if inner is None else (inner, part.factor)


def _only_before(product: nn.MatmulOp) -> list[Operation]:
    """The transpose of the keys, where the product alone uses it: it goes with the product."""
    turn = product.b.owner
    return [turn] if isinstance(turn, nn.TransposeOp) and turn.result.has_one_use() else []


def _mask(scores: Scores, op: Operation, draft: Draft) -> SSAValue | None:
    """The additive mask, where there is one."""
    if scores.hidden is not None:
        condition, shown = scores.hidden
        zero, low = draft.scalar(op, 0.0, scores.value), draft.scalar(op, -inf, scores.value)
        return draft.emit(op, nn.WhereOp, condition, *((zero, low) if shown else (low, zero)))
    return scores.mask


def can_replace(root: Operation, inside: list[Operation]) -> bool:
    """Whether one op may stand for `inside` and `root`: nothing else uses what is in between."""
    return only_for(root, inside)


def should_replace(draft: Draft, before: list[Operation], after: list[Operation]) -> bool:
    """Whether one kernel takes less time, and its tiles of q, k, v and scores fit into the memory on the chip."""
    made = after[-1]
    assert isinstance(made, nn.AttentionOp)
    width, out = nn.shape_of(made.q)[-1], nn.shape_of(made.v)[-1]
    queries, keys = AT_ONCE
    size = (nn.bits_of(made.type.element_type) + 7) // 8
    tiles = size * (queries * width + keys * (width + out)) + 4 * queries * (keys + out)
    return draft.target.holds(tiles) and draft.target.pays(before, after)


PATTERNS: Patterns = {nn.MatmulOp: [("attention", attention)]}


@dataclass(frozen=True)
class RecogniseAttentionPass(NnPass):
    """
    Finds attention and puts one op in its place; run `canonicalise` and `recognise-softmax` first.

    Promise: `main` computes the same but for rounding, where it computed numbers: a query that sees no key, for which
    a softmax of minus infinities gives none, gives 0. The op has the locations of all that it stands for.
    """

    name: ClassVar[str] = "recognise-attention"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
