"""`recognise-activations`: every spelling becomes one op, what nearly is one does not."""

from __future__ import annotations

from math import pi, sqrt

import pytest

PASSES = ("canonicalise", "recognise-activations")
SHAPE = (3, 5)


def erf_gelu(n, x, factor=0.5**0.5, half=0.5, one=1.0):
    return n("Mul", n("Mul", half, x), n("Add", one, n("Erf", n("Mul", x, factor))))


def erf_gelu_otherwise(n, x):
    return n("Mul", x, n("Mul", n("Add", n("Erf", n("Div", x, sqrt(2.0))), 1.0), 0.5))


def erfc_gelu(n, x):
    return n("Mul", n("Mul", x, 0.5), n("Sub", 1.0, n("Erf", n("Mul", n("Neg", x), sqrt(0.5)))))


def tanh_gelu(n, x, cube=0.044715):
    inner = n("Mul", sqrt(2 / pi), n("Add", x, n("Mul", cube, n("Pow", x, 3.0))))
    return n("Mul", n("Mul", 0.5, x), n("Add", 1.0, n("Tanh", inner)))


def tanh_gelu_factored(n, x):
    inner = n("Mul", n("Mul", x, sqrt(2 / pi)), n("Add", 1.0, n("Mul", n("Mul", x, x), 0.044715)))
    return n("Mul", x, n("Mul", 0.5, n("Add", 1.0, n("Tanh", inner))))


def logistic(n, x):
    return n("Div", 1.0, n("Add", 1.0, n("Exp", n("Neg", x))))


def swish(n, x):
    return n("Mul", x, n("Sigmoid", x))


def swish_divided(n, x):
    return n("Div", x, n("Add", n("Exp", n("Neg", x)), 1.0))


def softplus(n, x):
    return n("Log1p", n("Exp", x))


def softplus_of_log(n, x):
    return n("Log", n("Add", n("Exp", x), 1.0))


def mish(n, x):
    return n("Mul", x, n("Tanh", softplus(n, x)))


def hard_sigmoid(n, x):
    return n("Min", n("Max", n("Add", n("Mul", x, 1 / 6), 0.5), 0.0), 1.0)


def relu6_over_6(n, x):
    return n("Div", n("Min", n("Max", n("Add", x, 3.0), 0.0), 6.0), 6.0)


def hard_swish(n, x):
    return n("Mul", x, relu6_over_6(n, x))


SPELLINGS = [
    (erf_gelu, "gelu"),
    (erf_gelu_otherwise, "gelu"),
    (erfc_gelu, "gelu"),
    (tanh_gelu, "gelu_tanh"),
    (tanh_gelu_factored, "gelu_tanh"),
    (logistic, "sigmoid"),
    (swish, "silu"),
    (swish_divided, "silu"),
    (softplus, "softplus"),
    (softplus_of_log, "softplus"),
    (mish, "mish"),
    (hard_sigmoid, "hard_sigmoid"),
    (relu6_over_6, "hard_sigmoid"),
    (hard_swish, "hard_swish"),
    (lambda n, x: n("Max", 0.0, x), "relu"),
]


@pytest.mark.parametrize(("spelling", "kind"), SPELLINGS)
def test_a_spelling_becomes_one_op(net, check, spelling, kind):
    n = net(SHAPE)
    done = check(n.network(spelling(n, n.inputs[0])), PASSES)
    assert done.kinds == [kind]


def test_it_is_found_around_another_product(net, check):
    n = net(SHAPE, SHAPE)
    x = n("Mul", *n.inputs)
    done = check(n.network(n("Mul", tanh_gelu(n, x), n.inputs[1])), PASSES)
    assert done.kinds == ["mul", "gelu_tanh", "mul"]


NEAR = {
    "another factor under erf": lambda n, x, y: erf_gelu(n, x, factor=0.7),
    "not one half": lambda n, x, y: erf_gelu(n, x, half=0.51),
    "not one": lambda n, x, y: erf_gelu(n, x, one=1.01),
    "another cube": lambda n, x, y: tanh_gelu(n, x, cube=0.045),
    "the gate of another tensor": lambda n, x, y: n("Mul", x, n("Sigmoid", y)),
    "a logistic of 2 x": lambda n, x, y: n("Div", 1.0, n("Add", 1.0, n("Exp", n("Mul", x, -2.0)))),
    "exp without minus": lambda n, x, y: n("Div", 1.0, n("Add", 1.0, n("Exp", x))),
    "log of 2 + exp": lambda n, x, y: n("Log", n("Add", 2.0, n("Exp", x))),
    "a clip at 2": lambda n, x, y: n("Min", n("Max", n("Add", n("Mul", x, 1 / 6), 0.5), 0.0), 2.0),
    "a maximum with 0.1": lambda n, x, y: n("Max", x, 0.1),
}


@pytest.mark.parametrize("name", NEAR)
def test_what_nearly_is_one_stays(net, check, name):
    n = net(SHAPE, SHAPE)
    done = check(n.network(NEAR[name](n, *n.inputs)), PASSES)
    assert not {"gelu", "gelu_tanh", "silu", "sigmoid", "softplus", "hard_sigmoid", "relu"}.intersection(done.kinds) - {
        "sigmoid" if "gate" in name else "",
        "relu" if "clip" in name else "",
    }
    assert "gated-activation" not in done.fired


def test_what_is_used_elsewhere_stays(net, check):
    n = net(SHAPE)
    gate = n("Sigmoid", n.inputs[0])
    done = check(n.network(n("Mul", n.inputs[0], gate), gate), PASSES)
    assert done.kinds == ["sigmoid", "mul"]


def test_a_shape_that_broadcasts_stays(net, check):
    n = net((5,), (3, 5))
    done = check(n.network(n("Mul", n("Mul", n.inputs[0], 1.0), n("Sigmoid", n.inputs[1]))), PASSES)
    assert "silu" not in done.kinds
