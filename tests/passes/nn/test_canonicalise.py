"""`canonicalise` and `merge-equal-ops`: one form for each spelling, and what must stay."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import f16, f32, f64, i32

from dovetail.ir import nn
from dovetail.passes.nn import run

ONCE = ("canonicalise",)


def reshape(n, x, *shape):
    return n("Reshape", x, type=n.type(shape))


FORMS = {
    "reshape-of-reshape": (lambda n, x: reshape(n, reshape(n, x, 6, 4), 4, 6), ["reshape"]),
    "identity": (lambda n, x: n("Relu", reshape(n, x, 2, 3, 4)), ["relu"]),
    "transpose-of-transpose": (
        lambda n, x: n("Transpose", n("Transpose", x, permutation=(1, 0, 2)), permutation=(1, 2, 0)),
        ["transpose"],
    ),
    "transpose-as-reshape": (lambda n, x: n("Transpose", reshape(n, x, 1, 6, 4), permutation=(1, 0, 2)), ["reshape"]),
    "slice-of-slice": (
        lambda n, x: n(
            "Slice", n("Slice", x, starts=(0, 1, 0), limits=(2, 3, 4)), starts=(0, 1, 1), limits=(1, 2, nn.END)
        ),
        ["slice"],
    ),
    "concat-of-one": (lambda n, x: n("Relu", n("Concat", x, axis=0)), ["relu"]),
    "broadcast-as-reshape": (lambda n, x: n("Broadcast", x, type=n.type((1, 2, 3, 4))), ["reshape"]),
    "broadcast-of-broadcast": (
        lambda n, x: n("Broadcast", n("Broadcast", x, type=n.type((5, 2, 3, 4))), type=n.type((6, 5, 2, 3, 4))),
        ["broadcast"],
    ),
    "broadcast-by-use": (
        lambda n, x: n("Add", x, n("Broadcast", n("Reduce", x, kind="max", axes=(2,)), type=n.type((2, 3, 4)))),
        ["reduce", "add"],
    ),
    "neutral": (lambda n, x: n("Relu", n("Sub", n("Mul", n("Add", x, 0.0), 1.0), 0.0)), ["relu"]),
    "power": (lambda n, x: n("Pow", x, 2.0), ["mul"]),
    "divide-by-root": (lambda n, x: n("Div", x, n("Sqrt", n("Exp", x))), ["exp", "rsqrt", "mul"]),
    "root-of-reciprocal": (lambda n, x: n("Sqrt", n("Div", 1.0, n("Exp", x))), ["exp", "rsqrt"]),
    "mean-of-sum": (lambda n, x: n("Div", n("Reduce", x, kind="sum", axes=(0, 2)), 8.0), ["reduce"]),
    "mean-of-view": (
        lambda n, x: n("Mul", reshape(n, n("Reduce", x, kind="sum", axes=(2,)), 2, 3), 0.25),
        ["reduce", "reshape"],
    ),
    "negation-of-negation": (lambda n, x: n("Relu", n("Neg", n("Neg", x))), ["relu"]),
    "add-of-negation": (lambda n, x: n("Add", n("Exp", x), n("Neg", x)), ["exp", "sub"]),
    "constant-to-the-right": (lambda n, x: n("Mul", 2.0, x), ["mul"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form(net, check, name):
    write, kinds = FORMS[name]
    n = net((2, 3, 4))
    done = check(n.network(write(n, n.inputs[0])), ONCE)
    assert done.kinds == kinds
    assert done.fired[name] >= 1


PRODUCTS = {
    "transpose-into-matmul": lambda n, a, b: n("Matmul", a, n("Transpose", b, permutation=(1, 0))),
    "transpose-into-gemm": lambda n, a, b: n(
        "Gemm", n("Transpose", a, permutation=(1, 0)), b, transpose_a=1, transpose_b=1
    ),
    "gemm-as-matmul": lambda n, a, b: n("Gemm", a, n("Transpose", b, permutation=(1, 0))),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product(net, check, name):
    n = net((3, 4), (5, 4))
    done = check(n.network(PRODUCTS[name](n, *n.inputs)), ONCE)
    assert done.kinds == ["gemm"]


STAY = {
    "a number that broadcasts": lambda n, x: n("Add", n("Reduce", x, kind="max", axes=(0, 1, 2)), n.inputs[1]),
    "zero on the left of a difference": lambda n, x: n("Sub", 0.0, x),
    "one over x": lambda n, x: n("Div", 1.0, x),
    "a sum over another count": lambda n, x: n("Div", n("Reduce", x, kind="sum", axes=(0, 2)), 7.0),
    "a sum that is used twice": lambda n, x: n("Mul", n("Div", s := n("Reduce", x, kind="sum", axes=(0, 2)), 8.0), s),
    "a transpose that moves elements": lambda n, x: n("Transpose", x, permutation=(0, 2, 1)),
    "every other element": lambda n, x: n(
        "Slice", n("Slice", x, starts=(0, 0, 0), limits=(2, 3, 4)), starts=(0, 0, 0), limits=(2, 3, 4), steps=(1, 2, 1)
    ),
    "a transpose of more than matrices": lambda n, x: n("Matmul", x, n("Transpose", x, permutation=(0, 2, 1))),
}


@pytest.mark.parametrize("name", STAY)
def test_what_must_stay(net, check, name):
    n = net((2, 3, 4), (1, 3, 1))
    before = n.network(STAY[name](n, n.inputs[0]))
    kinds = [op.name for op in nn.body_of(before.module) if op.name not in ("nn.fill",)]
    done = check(before, ONCE)
    expected = [k.removeprefix("nn.") for k in kinds]
    assert done.kinds == (expected[1:] if name == "every other element" else expected)


@pytest.mark.parametrize(
    ("types", "left"), [((f16, f32, f16), 0), ((f32, f64, i32), 1), ((f32, f16, f32), 2), ((f32, i32, f32), 2)]
)
def test_casts_merge_where_nothing_is_lost_in_between(net, types, left):
    first, between, last = types
    n = net((3,), element=first)
    x = n("Cast", n("Cast", n.inputs[0], type=n.type((3,), between)), type=n.type((3,), last))
    done, _ = run(n.network(x), ONCE)
    assert [op.name for op in nn.body_of(done.module)] == ["nn.cast"] * left


def test_equal_ops_are_merged_in_either_order(net, check):
    n = net((2, 3), (2, 3))
    x, y = n.inputs
    twice = n("Mul", n("Add", x, y), n("Add", y, x))
    done = check(n.network(n("Sub", n("Sub", x, y), n("Sub", y, x)), twice), ("merge-equal-ops",))
    assert sorted(done.kinds) == ["add", "mul", "sub", "sub", "sub"]


def test_other_attributes_types_and_weights_are_other_ops(net, check):
    n = net((3, 3))
    x = n.inputs[0]
    sums = [n("Reduce", x, kind="sum", axes=(axis,)) for axis in (0, 1)]
    weights = [n.weight([1.0, 2.0, 3.0]), n.weight([1.0, 2.0, 4.0])]
    views = [reshape(n, x, 9), reshape(n, x, 9, 1)]
    done = check(n.network(*sums, n("Add", *weights), *views), ("merge-equal-ops",))
    assert sorted(done.kinds) == ["add", "reduce", "reduce", "reshape", "reshape"]


def test_weights_of_equal_values_are_one(net, check):
    n = net((3,))
    x = n.inputs[0]
    y = n("Sub", n("Mul", x, n.weight([1.0, 2.0, 3.0])), n("Mul", x, n.weight([1.0, 2.0, 3.0])))
    done = check(n.network(n("Add", y, n.weight([3.0, 2.0, 1.0]))), ("merge-equal-ops", "remove-dead-code"))
    assert done.kinds == ["mul", "sub", "add"]
    assert len(done.network.weights) == 2


def test_what_is_merged_keeps_all_locations(net):
    from xdsl.dialects.builtin import FusedLoc, NameLoc, NoneAttr, StringAttr

    n = net((2,))
    ops = [nn.ExpOp.make(n.inputs[0]) for _ in range(2)]
    for op, name in zip(ops, "ab", strict=True):
        op.location = NameLoc(StringAttr(name), NoneAttr())
        n.block.add_op(op)
    done, _ = run(n.network(n("Add", ops[0].result, ops[1].result)), ("merge-equal-ops",))
    location = next(iter(nn.body_of(done.module))).location
    assert isinstance(location, FusedLoc)
    assert '"a"' in str(location)
    assert '"b"' in str(location)
