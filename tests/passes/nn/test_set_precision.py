"""`set-precision`: what computes in which type, and that in exact arithmetic nothing changes but quantised weights."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, StringAttr, UnknownLoc, bf16, f16, f32, i32

from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.random_networks import random_network
from dovetail.passes.nn import run
from dovetail.passes.nn.precisions import read_precisions
from dovetail.passes.nn.set_precision import reduced

RNG = np.random.default_rng(0)


def layer(net):
    """A product, a norm, a chain and a softmax."""
    n = net((4, 256), element=f32)
    w = n.weight(RNG.normal(size=(256, 32)).astype(np.float32) / 16)
    p = n("Matmul", n.inputs[0], w)
    p.owner.location = NameLoc(StringAttr("fc1"), UnknownLoc())
    h = n("Tanh", n("RmsNorm", p, n.weight(np.ones(32, np.float32)), axis=1))
    return n.network(n("Softmax", h, axis=1))


def elements(network):
    """Op -> the element type of its result, without casts and weights."""
    return {
        op.name.removeprefix("nn."): nn.tensor_type(op.results[0]).element_type
        for op in nn.body_of(network.module)
        if not isinstance(op, nn.CastOp | nn.WeightOp | nn.FillOp)
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("bf16", {"matmul": bf16, "rms_norm": f32, "tanh": f32, "softmax": f32}),
        ("bf16,elementwise=bf16", {"matmul": bf16, "rms_norm": f32, "tanh": bf16, "softmax": f32}),
        ("bf16,norm=bf16,softmax=bf16", {"matmul": bf16, "rms_norm": bf16, "tanh": bf16, "softmax": bf16}),
        ("fp16,softmax=fp16", {"matmul": f16, "rms_norm": f32, "tanh": f32, "softmax": f16}),
        ("matmul=bf16", {"matmul": bf16, "rms_norm": f32, "tanh": f32, "softmax": f32}),
        ("matmul=bf16,norm=fp16", {"matmul": bf16, "rms_norm": f16, "tanh": f32, "softmax": f32}),
        ("bf16,fc1=fp32", {"matmul": f32, "rms_norm": f32, "tanh": f32, "softmax": f32}),
        ("fp32", {"matmul": f32, "rms_norm": f32, "tanh": f32, "softmax": f32}),
    ],
)
def test_each_kind_computes_in_what_is_said(net, said, expected):
    network = layer(net)
    done = reduced(network, read_precisions(said)).network
    done.module.verify()
    assert elements(done) == expected
    out = nn.main_of(done.module).body.block.ops.last.operands[0]  # type: ignore[union-attr]
    assert nn.tensor_type(out).element_type == f32
    x = RNG.normal(size=(4, 256))
    before, after = (interpret(each.module, [x], each.weights)[0] for each in (network, done))
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_a_chain_is_wide_beside_a_norm_alone_and_a_table_is_kept_narrow(net):
    n = net((3,), element=i32)
    rows = n("Gather", n.weight(RNG.normal(size=(9, 8)), f32), n.inputs[0], axis=0)
    product = n("Matmul", n("Abs", rows), n.weight(np.ones((8, 8)), f32))
    turned = n("Transpose", n("Tanh", product), permutation=(1, 0))
    done = reduced(n.network(n("RmsNorm", turned, axis=1)), read_precisions("bf16")).network
    assert elements(done) == {
        "gather": bf16,
        "abs": bf16,
        "matmul": bf16,
        "tanh": f32,
        "transpose": f32,
        "rms_norm": f32,
    }
    assert {str(op.type) for op in nn.body_of(done.module) if isinstance(op, nn.WeightOp)} == {
        "tensor<9x8xbf16>",
        "tensor<8x8xbf16>",
    }


@pytest.mark.parametrize("said", ["int4", "bf16,weights=int3"])
def test_by_type_a_network_has_the_same_types_and_no_values(net, said):
    network = layer(net)
    known = reduced(network, read_precisions(said))
    by_type = reduced(nn.NnModule(network.module, {}, ("x",), ("y",)), read_precisions(said), by_type=True)
    assert str(by_type.network.module) == str(known.network.module)
    assert not by_type.network.weights
    assert (by_type.wide, by_type.stored) == (known.wide, known.stored)


def test_weights_become_weights_of_the_type_with_their_values(net):
    done = reduced(layer(net), read_precisions("bf16")).network
    casts = [op for op in nn.body_of(done.module) if isinstance(op, nn.CastOp)]
    assert not any(isinstance(op.x.owner, nn.WeightOp) for op in casts)
    assert "w0.bf16" in done.weights
    assert done.weights["w0.bf16"].dtype == np.float32


def test_finite_constants_stay_finite_in_fp16(net):
    n = net((4, 4), element=f32)
    mask = n.weight(np.array([0, -3.4e38, -np.inf, 1], np.float32))
    done = reduced(n.network(n("Add", n("Add", n.inputs[0], mask), -1e30)), read_precisions("fp16")).network
    np.testing.assert_array_equal(done.weights["w0.f16"], [0, -65504, -np.inf, 1])
    (fill,) = [op for op in nn.body_of(done.module) if isinstance(op, nn.FillOp)]
    assert nn.number(fill.value) == -65504


@pytest.mark.parametrize(
    ("said", "bound"), [("int8", 0.01), ("int6", 0.04), ("int4", 0.15), ("int3", 0.35), ("fp8", 0.03), ("int2", 0.8)]
)
def test_weights_of_products_are_kept_in_few_bits_by_groups_of_128(net, said, bound):
    network = layer(net)
    done = reduced(network, read_precisions(said))
    (back,) = [op for op in nn.body_of(done.network.module) if isinstance(op, nn.DequantiseOp)]
    assert nn.ints(back.block) == (128, 1)
    assert nn.shape_of(back.scale) == (2, 32)
    ((few, name),) = done.wide.items()
    assert name == "w0"
    q, scale = done.network.weights[few], done.network.weights[f"{few}.scale"]
    restored = q * np.repeat(scale, 128, axis=0)
    w = network.weights["w0"]
    assert 0 < np.linalg.norm(restored - w) / np.linalg.norm(w) < bound
    if said == "int8":
        np.testing.assert_allclose(scale, np.abs(w).reshape(2, 128, 32).max(axis=1) / 127, rtol=1e-6)


def test_arithmetic_and_storage_are_apart(net):
    done = reduced(layer(net), read_precisions({"default": "bf16", "matmul": "int4"}))
    assert done.stored == {"i4"}
    assert elements(done.network)["matmul"] == bf16
    assert done.wide == {"w0.bf16.i4.128x1": "w0"}


def test_a_weight_of_two_products_is_kept_once(net):
    n = net((4, 128), element=f32)
    w = n.weight(RNG.normal(size=(128, 128)).astype(np.float32))
    done = reduced(n.network(n("Matmul", n("Matmul", n.inputs[0], w), w)), read_precisions("int8"))
    assert len(done.wide) == 1
    assert sum(isinstance(op, nn.DequantiseOp) for op in nn.body_of(done.network.module)) == 2


@pytest.mark.parametrize("said", ["bf16", "matmul=bf16,elementwise=fp16", "fp16,weights=int4"])
def test_random_networks_keep_their_meaning(said):
    quantised = 0
    for seed in range(40):
        case = random_network(seed)
        network, _ = run(case.network, ["decompose-fusions"])
        done = reduced(network, read_precisions(said))
        done.network.module.verify()
        quantised += len(done.wide)
        if not done.wide:
            for before, after in zip(case.run(), case.run(done.network), strict=True):
                np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)
    assert (quantised > 10) == ("int4" in said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("bf15", "`bf15` is no precision"),
        ("", "no precision is given"),
        ("matmul=bf16,matmul=fp16", "`matmul` is given twice"),
        ("weights=bf16", "weights are not kept in bf16 by themselves"),
        ("norm=int8", "`norm` has no weights of a product"),
        ("bf17,norm=int4", "`norm` has no weights of a product"),
    ],
)
def test_what_cannot_be_is_refused(said, message):
    with pytest.raises(InputError, match=message) as caught:
        read_precisions(said)
    assert len(caught.value.diagnostics) == (2 if said == "bf17,norm=int4" else 1)


def test_a_kind_that_is_not_there_is_refused(net):
    with pytest.raises(InputError, match="`matmuls` is neither a kind of op nor the place of one"):
        run(layer(net), ['set-precision{precision="matmuls=bf16"}'])
