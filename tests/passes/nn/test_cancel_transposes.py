"""`cancel-transposes`: transposes meet and cancel, and none moves for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.ir import nn

PASSES = ("cancel-transposes", "fold-constants")
SHAPE = (2, 4, 5, 3)
LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def last(n, x):
    return n("Transpose", x, permutation=LAST)


def first(n, x):
    return n("Transpose", x, permutation=FIRST)


CANCEL = {
    "scalar functions": lambda n, x, y: first(n, n("Relu", n("Mul", last(n, x), 2.0))),
    "a bias of channels": lambda n, x, y: first(n, n("Add", last(n, x), n.weight(np.arange(4.0)))),
    "a softmax": lambda n, x, y: first(n, n("Softmax", last(n, x), axis=3)),
    "a reduction": lambda n, x, y: first(n, n("Reduce", last(n, x), kind="max", axes=(1, 3))),
    "a choice": lambda n, x, y: first(n, n("Where", n("Less", last(n, x), 0.5), last(n, y), 1.0)),
    "a concat": lambda n, x, y: first(n, n("Concat", last(n, x), last(n, y), axis=3)),
    "a cast": lambda n, x, y: first(n, n("Cast", last(n, x), type=n.type((2, 5, 3, 4)))),
}


@pytest.mark.parametrize("name", CANCEL)
def test_transposes_on_both_sides_cancel(net, check, name):
    n = net(SHAPE, SHAPE)
    done = check(n.network(CANCEL[name](n, *n.inputs)), PASSES)
    assert "transpose" not in done.kinds


def test_two_become_one(net, check):
    n = net(SHAPE, SHAPE)
    x, y = n.inputs
    assert check(n.network(n("Add", last(n, x), last(n, y))), PASSES).kinds == ["add", "transpose"]


STAY = {
    "nothing follows": lambda n, x, y: n("Relu", last(n, x)),
    "two permutations": lambda n, x, y: n("Reduce", n("Mul", last(n, x), n("Exp", y)), kind="max", axes=(0,)),
    "a matrix product follows": lambda n, x, y: n("Matmul", n("Relu", last(n, x)), n.weight(np.ones((4, 4)))),
}


@pytest.mark.parametrize("name", STAY)
def test_a_transpose_stays_where_it_is(net, check, name):
    n = net(SHAPE, (2, 5, 3, 4))
    network = n.network(STAY[name](n, *n.inputs))
    before = [op.name.removeprefix("nn.") for op in nn.body_of(network.module) if not isinstance(op, nn.WeightOp)]
    assert check(network, PASSES).kinds == before


def test_a_transpose_that_another_op_uses_stays(net, check):
    n = net(SHAPE)
    turned = last(n, n.inputs[0])
    done = check(n.network(first(n, n("Relu", turned)), n("Softmax", turned, axis=1)), PASSES)
    assert done.kinds.count("transpose") == 2
