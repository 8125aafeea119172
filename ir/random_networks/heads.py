"""Attention, its projections and rotary embedding as front ends spell them out, each in its variants, and nearly so."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from .. import nn
from .author import Author
from .spelled import nearly, times


def attention(a: Author) -> SSAValue:
    """softmax(scale q k^T + mask) v, over two to four axes."""
    shared, group, queries, width = a.pick((1, 2)), a.pick((1, 1, 2)), a.pick((1, 2, 3, 4)), a.pick((2, 4))
    keys = queries + a.pick((0, 0, 1, 2))
    lead = {2: (), 3: (shared,), 4: (a.pick((1, 2)), shared)}[a.pick((2, 3, 4, 4, 4))]
    group = group if len(lead) == 2 else 1
    q = a.shaped(*lead[:-1], *([lead[-1] * group] if lead else []), queries, width)
    k, v = a.shaped(*lead, keys, width), a.shaped(*lead, keys, a.pick((2, 3)))
    if group > 1:
        k, v = repeated(a, k, group), repeated(a, v, group)
    turned = a("Transpose", k, permutation=[*range(len(lead)), len(lead) + 1, len(lead)])
    place, factor = a.pick(("q", "k", "scores", "none")), a.pick((0.5, 0.3, 2.0))
    q = times(a, q, factor) if place == "q" else q
    turned = times(a, turned, factor) if place == "k" else turned
    scores = a("Matmul", q, turned)
    scores = times(a, scores, factor) if place == "scores" else scores
    if a.chance(0.2):
        cap = a.pick((2.0, 5.0))
        scores = a.either("Mul", a("Tanh", a("Div", scores, cap)), nearly(a, cap, cap + 1))
    scores = masked(a, scores, queries, keys)
    axis = len(lead) + 1 if a.chance(0.95) else len(lead)
    if a.chance(0.5):
        shares = a("Softmax", scores, axis=axis)
    else:
        powers = a("Exp", a("Sub", scores, a("Reduce", scores, kind="max", axes=[axis])))
        shares = a("Div", powers, a("Reduce", powers, kind="sum", axes=[axis]))
    return a("Matmul", shares, v)


def repeated(a: Author, x: SSAValue, group: int) -> SSAValue:
    """(b, h, n, d) with each head `group` times in a row, now and then all heads in turn instead."""
    batch, heads, tokens, width = nn.shape_of(x)
    if a.chance(0.4):
        indices = np.repeat(np.arange(heads), group) if a.chance(0.9) else np.tile(np.arange(heads), group)
        return a("Gather", x, a.weight(indices, i64), axis=1)
    middle = a("Reshape", x, type=nn.tensor(a.element, (batch, heads, 1, tokens, width)))
    wide = (batch, heads, group, tokens, width)
    if a.chance(0.1):
        middle = a("Reshape", x, type=nn.tensor(a.element, (batch, 1, heads, tokens, width)))
        wide = (batch, group, heads, tokens, width)
    wide = a("Broadcast", middle, type=nn.tensor(a.element, wide))
    return a("Reshape", wide, type=nn.tensor(a.element, (batch, heads * group, tokens, width)))


def masked(a: Author, scores: SSAValue, queries: int, keys: int) -> SSAValue:
    """Scores of which some are hidden: by a sum or a choice, known before the run or not."""
    place = np.arange(queries)[:, None] + keys - queries - np.arange(keys)
    seen = {
        "causal": place >= 0,
        "window": (place >= 0) & (place < 2),
        "odd": (place >= 0) | (a.rng.random(place.shape) < 0.3),
    }[a.pick(("causal", "causal", "window", "odd"))]
    far = -np.inf if a.chance(0.5) else a.pick((-1e9, -1e10, -3.0))
    match a.pick(("none", "sum", "choice", "positions", "soft", "input")):
        case "none":
            return scores
        case "sum":
            return a.either("Add", scores, a.weight(np.where(seen, 0.0, far)))
        case "choice":
            condition = a.weight(seen, nn.tensor_type(a.truths(())).element_type)
            return a("Where", condition, scores, far)
        case "positions":
            table = nn.tensor(i64, (queries, keys))
            query = a("Add", a("Iota", type=table, axis=0), float(keys - queries))
            condition = a("LessEqual", a("Iota", type=table, axis=1), query)
            return a("Where", condition, scores, far)
        case "soft":
            return a.either("Add", scores, a.fresh(a.pick(((queries, keys), (1, keys), nn.shape_of(scores)))))
        case _:
            condition = a.input([seen] * a.ranks, nn.tensor_type(a.truths(())).element_type)
            if a.chance(0.5):
                return a("Where", condition, scores, far)
            return a("Where", a("Not", condition), far_like(a, scores, far), scores)


def far_like(a: Author, scores: SSAValue, far: float) -> SSAValue:
    """`far` as a scalar of the type of the scores."""
    return a("Fill", type=nn.with_shape(scores, ()), value=far)


def projections(a: Author) -> SSAValue:
    """Queries, keys and values of one input, in heads, and what attention makes of them."""
    heads, tokens, width = a.pick((1, 2)), a.pick((1, 2, 3)), 2
    x = a.shaped(a.pick((1, 2)), tokens, a.pick((3, 4)))
    batch, _, depth = nn.shape_of(x)
    bias = a.chance(0.5)
    parts = []
    for _ in range(3):
        y = a("Matmul", x, a.fresh((depth, heads * width), trained=True))
        y = a.either("Add", y, a.fresh((heads * width,), trained=True)) if bias and a.chance(0.95) else y
        y = a("Reshape", y, type=nn.tensor(a.element, (batch, tokens, heads, width)))
        parts.append(a("Transpose", y, permutation=(0, 2, 1, 3)))
    q, k, v = parts
    scores = a("Matmul", q, a("Transpose", k, permutation=(0, 1, 3, 2)))
    shares = a("Softmax", times(a, scores, width**-0.5), axis=3)
    back = a("Transpose", a("Matmul", shares, v), permutation=(0, 2, 1, 3))
    return a("Reshape", back, type=nn.tensor(a.element, (batch, tokens, heads * width)))


def rotary(a: Author) -> SSAValue:
    """Rotary embedding by halves that are turned, or by parts."""
    batch, heads, tokens, half = a.pick((1, 2)), a.pick((1, 2)), a.pick((1, 2, 3)), a.pick((1, 2, 3))
    x = a.shaped(batch, heads, tokens, 2 * half)
    lead = a.pick(((tokens,), (1, 1, tokens), (batch, 1, tokens)))
    angles = a.rng.normal(size=(*lead, half))
    cut = half if a.chance(0.95) else max(half - 1, 1)
    if a.chance(0.6):
        left, right = a("Split", x, axis=3, sizes=(cut, 2 * half - cut))
    else:
        left, right = (
            a("Slice", x, starts=(0, 0, 0, start), limits=(nn.END, nn.END, nn.END, limit))
            for start, limit in ((0, cut), (cut, 2 * half))
        )
    if a.chance(0.5):
        cos, sin = a.weight(np.cos(angles)), a.weight(np.sin(angles))
        first = a("Sub", a.either("Mul", left, cos), a.either("Mul", right, sin))
        second = a.either("Add", a.either("Mul", right, cos), a.either("Mul", left, sin))
        return a("Concat", first, second, axis=3)
    turned = a("Concat", a("Neg", right), left, axis=3) if a.chance(0.92) else a("Concat", right, left, axis=3)
    cos, sin = tables(a, angles)
    return a.either("Add", a.either("Mul", x, cos), a.either("Mul", turned, sin))


def tables(a: Author, angles: np.ndarray) -> tuple[SSAValue, SSAValue]:
    """Cosine and sine for both halves: as weights, or worked out from angles that are put beside themselves."""
    if a.chance(0.6):
        both = np.concatenate([angles, angles if a.chance(0.9) else 1.1 * angles], axis=-1)
        return a.weight(np.cos(both)), a.weight(np.sin(both))
    one = a.input([angles] * a.ranks)
    both = a("Concat", one, one, axis=angles.ndim - 1)
    return a("Cos", both), a("Sin", both)


MOTIFS = {attention: 5, projections: 2, rotary: 3}
