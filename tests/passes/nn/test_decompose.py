"""Passes that take ops apart: the whole op is gone, the meaning is kept, and patterns find it again."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import i64

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.nn import run

APART = ("decompose-attention", "decompose-experts", "decompose-norms", "decompose-activations", "decompose-fusions")
FOUND = ("canonicalise", "recognise-activations", "recognise-softmax", "recognise-norms", "recognise-attention")
ACTIVATIONS = ("Gelu", "GeluTanh", "Silu", "Mish", "HardSigmoid", "HardSwish", "Softplus")


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations(net, check, kind):
    n = net((3, 4))
    network = n.network(n(kind, n.inputs[0]))
    op = type(next(iter(nn.body_of(network.module)))).name.removeprefix("nn.")
    assert op not in check(network, APART).kinds
    if kind != "Softplus":  # which comes apart in a form that cannot overflow, and that nobody writes
        again = check(network, ("decompose-activations", *FOUND)).kinds
        assert again == [op] or kind == "Mish"


NORMS = {
    "layer norm": lambda n, x: n("LayerNorm", x, axis=2),
    "layer norm with scale": lambda n, x: n("LayerNorm", x, n.weight(np.arange(1.0, 6.0)), axis=3),
    "layer norm with both": lambda n, x: n("LayerNorm", x, *(n.weight(np.arange(1.0, 6.0)) for _ in "ab"), axis=3),
    "rms norm": lambda n, x: n("RmsNorm", x, axis=1, epsilon=1e-6),
    "rms norm with scale": lambda n, x: n("RmsNorm", x, n.weight(np.arange(1.0, 6.0)), axis=3),
    "softmax": lambda n, x: n("Softmax", x, axis=2),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_come_apart_and_are_found_again(net, check, name):
    n = net((2, 4, 3, 5))
    network = n.network(NORMS[name](n, n.inputs[0]))
    kind = name.removesuffix(" with scale").removesuffix(" with both").replace(" ", "_")
    assert kind not in check(network, APART).kinds
    assert check(network, ("decompose-norms", *FOUND)).kinds == [kind]


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3), (2, 4, 3, 5)])
def test_group_norm(net, check, groups, shape):
    n = net(shape)
    y = n("GroupNorm", n.inputs[0], *(n.weight(np.arange(1.0, 5.0)) for _ in "ab"), groups=groups)
    assert "group_norm" not in check(n.network(y), APART).kinds


@pytest.mark.parametrize("mask", [(), ((2, 4, 5, 7),), ((1, 1, 7),)], ids=["no mask", "whole mask", "small mask"])
@pytest.mark.parametrize("heads", [4, 2, 1])
@pytest.mark.parametrize("form", [{}, {"causal": 1}, {"causal": 1, "window": 3, "softcap": 4.0}, {"window": 2}])
def test_attention(net, check, form, heads, mask):
    n = net((2, 4, 5, 8), (2, heads, 7, 8), (2, heads, 7, 6), *mask)
    network = n.network(n("Attention", *n.inputs, scale=0.3, **form))
    assert "attention" not in check(network, APART).kinds
    if heads == 4 and not mask:
        again = check(network, ("decompose-attention", "canonicalise", "recognise-attention", "canonicalise"))
        assert again.kinds == ["attention"]
        assert (
            again.op(nn.AttentionOp).attributes
            == network.module.clone().body.block.first_op.body.block.first_op.attributes
        )  # type: ignore[union-attr]


def test_a_query_that_sees_no_key_still_gives_0(net):
    n = net((1, 1, 2, 4), (1, 1, 3, 4), (1, 1, 3, 4))
    mask = n.weight(np.array([[0.0, -np.inf, 0.0], [-np.inf] * 3]))
    network = n.network(n("Attention", *n.inputs, mask, scale=1.0))
    done, _ = run(network, ("decompose-attention",))
    inputs = [np.random.default_rng(0).normal(size=(1, 1, s, 4)) for s in (2, 3, 3)]
    (expected,), (found,) = (interpret(each.module, inputs, each.weights) for each in (network, done))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not found[0, 0, 1].any()


@pytest.mark.parametrize("window", [0, 3])
def test_attention_over_pages(net, window):
    n = net((2, 4, 1, 8), (6, 4, 2, 8), (6, 4, 2, 8))
    table, lengths = n.weight(np.array([[3, 1, -9], [5, 0, 2]]), i64), n.weight(np.array([6, 11]), i64)
    network = n.network(n("PagedAttention", *n.inputs, table, lengths, scale=0.4, window=window))
    done, fired = run(network, APART)
    assert fired["paged-attention-apart"] == fired["attention-apart"] == 1
    rng = np.random.default_rng(2)
    inputs = [rng.normal(size=nn.shape_of(x)) for x in nn.main_of(network.module).body.block.args]
    (expected,), (found,) = (interpret(each.module, inputs, each.weights) for each in (network, done))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("table", [(5, 3), (5, 4), (2, 5, 3)])
def test_rotary(net, check, table, interleaved):
    n = net((2, 4, 5, 8), table, table)
    assert "rotary" not in check(n.network(n("Rotary", *n.inputs, interleaved=interleaved)), APART).kinds


ROUTES = [
    {"k": 1},
    {"k": 3, "normalise": 1},
    {"k": 2, "score": "sigmoid", "scale": 2.5, "normalise": 1},
    {"k": 2, "groups": 4, "top_groups": 2, "group_best": 2},
]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_a_mixture_of_experts(net, check, route, bias):
    n = net((6, 8), (6, 16), (8, 16, 5), *([(8,)] if bias else []))
    weights, experts = n("Route", n.inputs[0], *n.inputs[3:], **route)
    rows, order, sizes = n("Dispatch", n.inputs[1], experts, count=8)
    done = check(n.network(n("Combine", n("GroupedMatmul", rows, n.inputs[2], sizes), weights, order)), APART)
    assert not {"route", "dispatch", "grouped_matmul", "combine"}.intersection(done.kinds)


def test_experts_with_turned_weights(net, check):
    n = net((6, 16), (8, 5, 16))
    sizes = n.weight(np.array([0, 2, 1, 0, 3, 0, 0, 0]), i64)
    done = check(n.network(n("GroupedMatmul", *n.inputs, sizes, transpose_b=1)), APART)
    assert "grouped_matmul" not in done.kinds


def test_fusions_come_apart_as_they_were(net, check):
    from xdsl.dialects.builtin import f32

    n = net((4, 8), (8, 6), element=f32)
    network = n.network(n("Relu", n("Add", n("Matmul", *n.inputs), n.weight(np.ones(6)))))
    done = check(network, ("fuse-epilogue", "decompose-fusions"))
    assert done.kinds == ["matmul", "add", "relu"]
    assert done.fired == {"epilogue": 1, "fusion-apart": 1}


def test_only_rows_that_do_not_fit_come_apart(net):
    n = net((2, 100_000))
    network = n.network(n("Softmax", n.inputs[0], axis=1), n("Softmax", n.inputs[0], axis=0))
    done, fired = run(network, ("decompose-norms{too_wide=true}",), "h100-sxm")
    assert fired == {"softmax-apart": 1}
    assert str(done.module).count("nn.softmax") == 1
    assert not run(network, ("decompose-norms{too_wide=true}",), "cpu")[1]
