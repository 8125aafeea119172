"""`recognise-attention`: scales, masks, windows, softcaps and grouped heads in several spellings; near misses stay."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from xdsl.dialects.builtin import i1, i64

from dovetail.ir import nn
from dovetail.passes.nn.masks import Visible, recognise

PASSES = (
    "fold-constants",
    "canonicalise",
    "merge-equal-ops",
    "recognise-softmax",
    "recognise-attention",
    "canonicalise",
)
Q, K, V = (2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 6)
PLACE = np.arange(5)[:, None] + 2 - np.arange(7)[None, :]
SWAP = (0, 1, 3, 2)


def softmax(n, x, axis=3):
    powers = n("Exp", n("Sub", x, n("Reduce", x, kind="max", axes=(axis,))))
    return n("Div", powers, n("Reduce", powers, kind="sum", axes=(axis,)))


def attend(n, q, k, v, change=None, axis=3):
    scores = n("Mul", n("Matmul", q, n("Transpose", k, permutation=SWAP)), 0.3)
    return n("Matmul", softmax(n, scores if change is None else change(n, scores), axis), v)


def added(seen, low=-inf, shape=(1, 1, 5, 7)):
    return lambda n, s: n("Add", s, n.weight(np.where(seen, 0.0, low).reshape(shape)))


def chosen(n, s):
    table = n.type((5, 7), i64)
    query = n("Add", n("Iota", type=table, axis=0), n("Fill", type=n.type((), i64), value=2.0))
    return n("Where", n("LessEqual", n("Iota", type=table, axis=1), query), s, -1e30)


def chosen_otherwise(n, s):
    hidden = n.weight((PLACE < 0).reshape(1, 1, 5, 7).astype(np.int64), i64)
    return n("Where", n("Equal", hidden, n("Fill", type=n.type((), i64), value=1.0)), -inf, s)


def capped(n, s):
    return n("Mul", n("Tanh", n("Div", s, 5.0)), 5.0)


FORMS = {
    "plain": (lambda n, s: s, (0, 0, 0.0)),
    "causal, added": (added(PLACE >= 0), (1, 0, 0.0)),
    "causal, added, of two axes": (added(PLACE >= 0, shape=(5, 7)), (1, 0, 0.0)),
    "causal, added as a low number": (added(PLACE >= 0, low=-3.4e38), (1, 0, 0.0)),
    "causal, from positions": (chosen, (1, 0, 0.0)),
    "causal, hidden where true": (chosen_otherwise, (1, 0, 0.0)),
    "window": (added((PLACE >= 0) & (PLACE < 3)), (1, 3, 0.0)),
    "softcap": (capped, (0, 0, 5.0)),
    "softcap and causal": (lambda n, s: chosen(n, capped(n, s)), (1, 0, 5.0)),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_becomes_attributes(net, check, name):
    change, expected = FORMS[name]
    n = net(Q, K, V)
    done = check(n.network(attend(n, *n.inputs, change=change)), PASSES)
    assert done.kinds == ["attention"]
    op = done.op(nn.AttentionOp)
    assert (nn.integer(op.causal), nn.integer(op.window), nn.number(op.softcap)) == expected
    assert nn.number(op.scale) == pytest.approx(0.3)


def test_a_mask_of_an_input_stays_a_mask(net, check):
    n = net(Q, K, V, (2, 1, 1, 7))
    done = check(n.network(attend(n, *n.inputs[:3], change=lambda n, s: n("Add", chosen(n, s), n.inputs[3]))), PASSES)
    op = done.op(nn.AttentionOp)
    assert op.mask is not None
    assert nn.integer(op.causal) == 1


def test_a_choice_of_minus_infinity_becomes_a_mask(net, check):
    n = net(Q, K, V, (1, 1, 5, 7))
    done = check(
        n.network(attend(n, *n.inputs[:3], change=lambda n, s: n("Where", n("Less", n.inputs[3], 1.5), s, -inf))),
        PASSES,
    )
    assert done.kinds == ["less", "where", "attention"]


@pytest.mark.parametrize("where", ["q", "k", "both", "none"])
def test_the_scale_may_stand_on_queries_or_keys(net, check, where):
    n = net(Q, K, V)
    q, k, v = n.inputs
    q = n("Div", q, sqrt(2.0)) if where in ("q", "both") else q
    k = n("Mul", 0.5, k) if where in ("k", "both") else k
    scores = n("Matmul", q, n("Transpose", k, permutation=SWAP))
    done = check(n.network(n("Matmul", softmax(n, scores), v)), PASSES)
    factor = {"q": 1 / sqrt(2), "k": 0.5, "both": 0.5 / sqrt(2), "none": 1.0}[where]
    assert nn.number(done.op(nn.AttentionOp).scale) == pytest.approx(factor)


@pytest.mark.parametrize("rank", [2, 3])
def test_fewer_axes(net, check, rank):
    n = net((4, 5, 8)[3 - rank :], (4, 8, 7)[3 - rank :], (4, 7, 6)[3 - rank :])
    q, turned, v = n.inputs
    done = check(n.network(n("Matmul", n("Softmax", n("Matmul", q, turned), axis=rank - 1), v)), PASSES)
    assert "attention" in done.kinds


def repeated(n, x):
    """(2, 2, 7, w) as (2, 4, 7, w), each head twice."""
    *_, tokens, width = nn.shape_of(x)
    spread = n("Reshape", x, type=n.type((2, 2, 1, tokens, width)))
    return n(
        "Reshape", n("Broadcast", spread, type=n.type((2, 2, 2, tokens, width))), type=n.type((2, 4, tokens, width))
    )


def test_repeated_heads(net, check):
    n = net(Q, (2, 2, 7, 8), (2, 2, 7, 6))
    q, k, v = n.inputs
    assert check(n.network(attend(n, q, repeated(n, k), repeated(n, v))), PASSES).kinds == ["attention"]


def test_gathered_heads(net, check):
    n = net(Q, (2, 2, 7, 8), (2, 2, 7, 6))
    q, k, v = n.inputs
    heads = n.weight(np.array([0, 0, 1, 1]), i64)
    k, v = (n("Gather", x, heads, axis=1) for x in (k, v))
    assert check(n.network(attend(n, q, k, v)), PASSES).kinds == ["attention"]


def test_heads_repeated_before_they_are_turned(net, check):
    """(b, n, h, d) as JAX has it."""
    n = net((2, 5, 4, 8), (2, 5, 2, 8), (2, 5, 2, 8))
    q, k, v = n.inputs

    def twice(x):
        spread = n("Reshape", x, type=n.type((2, 5, 2, 1, 8)))
        return n("Reshape", n("Broadcast", spread, type=n.type((2, 5, 2, 2, 8))), type=n.type((2, 5, 4, 8)))

    q, v = (n("Transpose", x, permutation=(0, 2, 1, 3)) for x in (q, twice(v)))
    scores = n("Matmul", q, n("Transpose", twice(k), permutation=(0, 2, 3, 1)))
    done = check(n.network(n("Matmul", softmax(n, scores), v)), PASSES)
    assert sorted(done.kinds) == ["attention", "transpose", "transpose", "transpose"]
    assert nn.shape_of(done.op(nn.AttentionOp).k) == (2, 2, 5, 8)


def test_heads_in_another_order_are_not_repeated(net, check):
    n = net(Q, (2, 2, 7, 8), (2, 2, 7, 6))
    q, k, v = n.inputs
    heads = n.weight(np.array([0, 1, 0, 1]), i64)
    k, v = (n("Gather", x, heads, axis=1) for x in (k, v))
    done = check(n.network(attend(n, q, k, v)), PASSES)
    assert nn.shape_of(done.op(nn.AttentionOp).k)[1] == 4


NEAR = {
    "a softmax over the queries": {"axis": 2},
    "a mask inside the scale": {"change": lambda n, s: n("Mul", added(PLACE >= 0, low=-1.0)(n, s), 2.0)},
    "a choice of a number": {"change": lambda n, s: n("Where", n("Less", n.inputs[3], 1.5), s, -1e30)},
    "two additions": {"change": lambda n, s: n("Add", n("Add", s, n.inputs[3]), n("Exp", n.inputs[3]))},
}


@pytest.mark.parametrize("name", NEAR)
def test_what_nearly_is_attention_stays(net, check, name):
    n = net(Q, K, (2, 4, 7, 6), (1, 1, 5, 7))
    done = check(n.network(attend(n, *n.inputs[:3], **NEAR[name])), PASSES)
    assert "attention" not in done.kinds


@pytest.mark.parametrize("which", ["shares", "scores"])
def test_what_is_used_elsewhere_stays(net, check, which):
    n = net(Q, K, V)
    q, k, v = n.inputs
    scores = n("Matmul", q, n("Transpose", k, permutation=SWAP))
    shares = n("Softmax", scores, axis=3)
    done = check(n.network(n("Matmul", shares, v), shares if which == "shares" else scores), PASSES)
    assert "attention" not in done.kinds


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (PLACE >= 0, Visible(True, 0)),
        ((PLACE >= 0) & (PLACE < 1), Visible(True, 1)),
        (PLACE < 4, Visible(False, 4)),
        (np.ones((5, 7), bool), Visible(False, 0)),
        (PLACE > 0, None),
        (PLACE >= -1, None),
        ((PLACE >= 0) & (PLACE != 2), None),
        (np.stack([PLACE >= 0, PLACE >= 0]), Visible(True, 0)),
        (np.stack([PLACE >= 0, PLACE >= 1]), None),
    ],
)
def test_which_masks_are_attributes(seen, expected):
    assert recognise(seen, 5, 7) == expected


def test_a_mask_of_fewer_axes_than_scores_hides_what_it_says():
    """With a cache and one new query, a causal mask is worked out to a single truth value."""
    assert recognise(np.array(True), 1, 7) == Visible(False, 0)
    assert recognise(np.arange(7) > 3, 1, 7) == Visible(True, 3)
    assert recognise(np.arange(7) < 3, 1, 7) is None
    assert recognise(np.ones((0, 1, 7), bool), 1, 7) is None


def test_one_query_behind_a_cache_is_attention(net, check):
    n = net((2, 4, 1, 8), K, V)

    def all_seen(n, s):
        return n("Where", n("Fill", type=n.type((), i1), value=1.0), s, -3.4e38)

    q, k, v = n.inputs
    done = check(n.network(attend(n, q, k, v, all_seen)), PASSES)
    assert done.kinds == ["attention"]
