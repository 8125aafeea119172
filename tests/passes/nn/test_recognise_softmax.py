"""`recognise-softmax`: with and without the maximum; other axes and shared parts stay."""

from __future__ import annotations

import pytest

from dovetail.ir import nn

PASSES = ("canonicalise", "recognise-softmax")


def softmax(n, x, most=1, total=1, shifted=True, kind="sum"):
    powers = n("Exp", n("Sub", x, n("Reduce", x, kind="max", axes=(most,))) if shifted else x)
    return n("Div", powers, n("Reduce", powers, kind=kind, axes=(total,))), powers


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax(net, check, axis, shifted):
    n = net((2, 3, 4))
    done = check(n.network(softmax(n, n.inputs[0], axis, axis, shifted)[0]), PASSES)
    assert done.kinds == ["softmax"]
    assert nn.integer(done.op(nn.SoftmaxOp).axis) == axis


def test_a_maximum_along_another_axis_is_a_shift_like_any_other(net, check):
    n = net((2, 3, 4))
    assert check(n.network(softmax(n, n.inputs[0], most=2)[0]), PASSES).kinds == ["reduce", "sub", "softmax"]


def test_a_mean_in_place_of_the_sum_stays(net, check):
    n = net((2, 3, 4))
    assert "softmax" not in check(n.network(softmax(n, n.inputs[0], kind="mean")[0]), PASSES).kinds


def test_powers_that_leave_too_stay(net, check):
    n = net((2, 3, 4))
    assert "softmax" not in check(n.network(*softmax(n, n.inputs[0])), PASSES).kinds
