"""All passes together: the meaning of whole networks, open sizes, what pays, and locations."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, UnknownLoc, f32

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.passes import NN_PIPELINE, TARGET_PIPELINE
from dovetail.passes.nn import PASSES, run
from dovetail.passes.nn.profit import default_target, target_of
from dovetail.passes.target import lower_for_target, simplify

RNG = np.random.default_rng(9)
PIPELINE = tuple(name for name, _ in NN_PIPELINE)


def weight(n, *shape):
    return n.weight(RNG.normal(size=shape) / np.sqrt(shape[0]))


def normed(n, x, width):
    mean = n("Reduce", x, kind="mean", axes=(2,))
    centred = n("Sub", x, mean)
    variance = n("Reduce", n("Mul", centred, centred), kind="mean", axes=(2,))
    y = n("Div", centred, n("Sqrt", n("Add", variance, 1e-5)))
    return n("Add", n("Mul", y, weight(n, width)), weight(n, width))


def heads(n, x, tokens, count, width):
    split = n(
        "Reshape", n("Matmul", x, weight(n, count * width, count * width)), type=n.type((2, tokens, count, width))
    )
    return n("Transpose", split, permutation=(0, 2, 1, 3))


def layer(n, x, tokens=6, count=2, width=4):
    """A layer of a transformer, spelled out as exporters do."""
    whole = count * width
    y = normed(n, x, whole)
    q, k, v = (heads(n, y, tokens, count, width) for _ in range(3))
    scores = n("Div", n("Matmul", q, n("Transpose", k, permutation=(0, 1, 3, 2))), float(np.sqrt(width)))
    mask = n.weight(np.where(np.tril(np.ones((tokens, tokens))) > 0, 0.0, -np.inf).reshape(1, 1, tokens, tokens))
    scores = n("Add", scores, mask)
    powers = n("Exp", n("Sub", scores, n("Reduce", scores, kind="max", axes=(3,))))
    shares = n("Div", powers, n("Reduce", powers, kind="sum", axes=(3,)))
    out = n("Transpose", n("Matmul", shares, v), permutation=(0, 2, 1, 3))
    out = n("Matmul", n("Reshape", out, type=n.type((2, tokens, whole))), weight(n, whole, whole))
    x = n("Add", x, n("Add", out, weight(n, whole)))
    up = n("Add", n("Matmul", normed(n, x, whole), weight(n, whole, 3 * whole)), weight(n, 3 * whole))
    half = n("Mul", up, 0.5)
    gelu = n("Mul", half, n("Add", n("Erf", n("Div", up, float(np.sqrt(2)))), 1.0))
    return n("Add", x, n("Add", n("Matmul", gelu, weight(n, 3 * whole, whole)), weight(n, whole)))


def test_a_layer_of_a_transformer_becomes_ten_launches(net, check):
    n = net((2, 6, 8))
    network = n.network(layer(n, n.inputs[0]))
    simple = check(network, PIPELINE)
    assert simple.kinds.count("attention") == 1
    assert simple.kinds.count("layer_norm") == 2
    assert simple.kinds.count("gelu") == 1
    whole = check(network, [*PIPELINE, *(name for name, _ in TARGET_PIPELINE["gpu"])])
    assert total(whole.network).launches < total(simple.network).launches < total(network).launches
    assert total(whole.network).moved_bytes < total(network).moved_bytes
    assert whole.fired["horizontal"] == 1


def test_fused_in_singles_it_means_the_same(net, check):
    """Chains of doubles are not fused, so that singles are needed to see them."""
    n = net((2, 6, 8), element=f32)
    passes = [name for name in PIPELINE if name != "fold-constants"]  # which rounds new weights to singles
    done = check(n.network(layer(n, n.inputs[0])), [*passes, "fuse-epilogue", "fuse-elementwise"])
    assert {"fusion", "layer_norm", "attention"} <= set(done.kinds)


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_by_itself_keeps_the_meaning_of_a_layer(net, check, name):
    n = net((2, 6, 8))
    check(n.network(layer(n, n.inputs[0])), [name])


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_after_all_others_keeps_the_meaning(net, check, name):
    n = net((2, 6, 8))
    check(n.network(layer(n, n.inputs[0])), [*PIPELINE, "fuse-horizontal", name])


def test_every_new_op_says_where_it_comes_from(net):
    n = net((2, 6, 8), element=f32)
    network = n.network(layer(n, n.inputs[0]))
    for index, op in enumerate(nn.body_of(network.module)):
        op.location = NameLoc(StringAttr(f"op{index}"), NoneAttr())
    done, _ = run(network, PASSES)
    for op in done.module.walk():
        if isinstance(op, nn.TensorOp):
            assert not isinstance(op.location, UnknownLoc), op.name


def test_open_sizes_go_through_all_passes(net):
    from dovetail.passes.nn.infer_shapes import with_inputs

    n = net((2, 6, 8))
    batch = nn.Size.named("batch")
    opened = with_inputs(n.network(layer(n, n.inputs[0])), {"x0": (batch, 6, 8)})  # type: ignore[arg-type]
    done, fired = run(opened, PASSES[:-3])
    done.module.verify()
    assert {"attention", "norm", "gated-activation"} <= set(fired)


def test_the_target_decides_what_pays():
    assert default_target() == target_of("h100-sxm")
    assert target_of("tpu-v5e").holds(127 * 2**20)
    assert not target_of("tpu-v5e").holds(129 * 2**20)
    with pytest.raises(ValueError, match="no device"):
        target_of("abacus")


def test_a_pass_that_is_not_known_is_an_error(net):
    n = net((2,))
    with pytest.raises(InputError, match="did you mean"):
        run(n.network(n("Relu", n.inputs[0])), ("fold-constant",))


def test_lowering_leaves_the_network_as_it_was(net):
    n = net((2, 6, 8), element=f32)
    network = n.network(layer(n, n.inputs[0]))
    before, weights = network.module.clone(), dict(network.weights)
    for kind in ("gpu", "npu", "cpu"):
        lower_for_target(network, kind)
    simplify(network)
    assert network.module.is_structurally_equivalent(before)
    assert network.weights == weights
    assert lower_for_target(network, "api") is network
