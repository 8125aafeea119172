"""`recognise-rotary`: both spellings become one op; tables whose halves differ, or another turn, do not."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.ir import nn

PASSES = ("canonicalise", "merge-equal-ops", "recognise-rotary", "fold-constants")
X = (2, 3, 5, 8)
ANGLES = np.random.default_rng(1).normal(size=(5, 4))


def halves(n, x):
    limits = (nn.END,) * 3
    return [n("Slice", x, starts=(0, 0, 0, a), limits=(*limits, b)) for a, b in ((0, 4), (4, 8))]


def by_halves(n, x, cos, sin, sign="Neg"):
    first, second = halves(n, x)
    turned = n("Concat", n(sign, second), first, axis=3)
    return n("Add", n("Mul", x, cos), n("Mul", turned, sin))


@pytest.mark.parametrize("shape", [(5, 8), (1, 1, 5, 8)])
def test_halves_with_tables_that_are_known(net, check, shape):
    n = net(X)
    cos, sin = (n.weight(np.tile(f(ANGLES), 2).reshape(shape)) for f in (np.cos, np.sin))
    done = check(n.network(by_halves(n, n.inputs[0], cos, sin)), PASSES)
    assert [kind for kind in done.kinds if kind != "reshape"] == ["rotary"]


def test_halves_with_tables_of_inputs(net, check):
    n = net(X, (2, 5, 4))
    x, angles = n.inputs
    twice = n("Concat", angles, angles, axis=2)
    cos, sin = (n("Reshape", n(kind, twice), type=n.type((2, 1, 5, 8))) for kind in ("Cos", "Sin"))
    assert "rotary" in check(n.network(by_halves(n, x, cos, sin)), PASSES).kinds


def in_parts(n, first, second, cos, sin, kinds=("Sub", "Add")):
    one = n(kinds[0], n("Mul", first, cos), n("Mul", second, sin))
    other = n(kinds[1], n("Mul", second, cos), n("Mul", sin, first))
    return n("Concat", one, other, axis=3)


@pytest.mark.parametrize("split", [True, False])
def test_parts(net, check, split):
    n = net(X, (5, 4), (5, 4))
    x, cos, sin = n.inputs
    first, second = n("Split", x, axis=3, sizes=(4, 4)) if split else halves(n, x)
    assert check(n.network(in_parts(n, first, second, cos, sin)), PASSES).kinds == ["rotary"]


NEAR = {
    "turned the other way": lambda n, a, b, c, s: in_parts(n, a, b, c, s, ("Add", "Sub")),
    "halves exchanged": lambda n, a, b, c, s: in_parts(n, b, a, c, s),
    "one table for both": lambda n, a, b, c, s: in_parts(n, a, b, c, c),
}


@pytest.mark.parametrize("name", NEAR)
def test_what_nearly_is_one_stays(net, check, name):
    n = net(X, (5, 4), (5, 4))
    x, cos, sin = n.inputs
    first, second = n("Split", x, axis=3, sizes=(4, 4))
    done = check(n.network(NEAR[name](n, first, second, cos, sin)), PASSES)
    # with one table for both the rotation still is one, by cos = sin
    assert ("rotary" in done.kinds) == (name == "one table for both")


def test_tables_whose_halves_differ_stay(net, check):
    n = net(X)
    cos, sin = (n.weight(np.concatenate([f(ANGLES), f(2 * ANGLES)], axis=1)) for f in (np.cos, np.sin))
    assert "rotary" not in check(n.network(by_halves(n, n.inputs[0], cos, sin)), PASSES).kinds


def test_halves_that_are_not_negated_stay(net, check):
    n = net(X)
    cos, sin = (n.weight(np.tile(f(ANGLES), 2)) for f in (np.cos, np.sin))
    assert "rotary" not in check(n.network(by_halves(n, n.inputs[0], cos, sin, sign="Abs")), PASSES).kinds


def test_what_is_used_elsewhere_stays(net, check):
    n = net(X, (5, 4), (5, 4))
    x, cos, sin = n.inputs
    first, second = halves(n, x)
    assert "rotary" not in check(n.network(in_parts(n, first, second, cos, sin), second), PASSES).kinds
