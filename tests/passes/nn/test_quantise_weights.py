"""`quantise-weights`: the error is what the scales allow, what does not pay stays."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerType, f32, i8

from dovetail.costmodel.tensor_graph import total, weight_bytes
from dovetail.ir.interpret import interpret
from dovetail.passes.nn.quantise_weights import element_of, quantise_weights, scales_of

RNG = np.random.default_rng(0)


def network(net, rows=4):
    n = net((rows, 256), (2, 16, 9, 9), element=f32)
    x, image = n.inputs
    plain = n("Matmul", x, n.weight(RNG.normal(size=(256, 300)).astype(np.float32)))
    turned = n("Gemm", x, n.weight(RNG.normal(size=(70, 256)).astype(np.float32)), transpose_b=1)
    conv = n("Conv", image, n.weight(RNG.normal(size=(8, 16, 3, 3)).astype(np.float32)))
    return n.network(plain, turned, conv)


BOUNDS = {"i8": 0.01, "i4": 0.15, "i3": 0.35, "fp8": 0.03, "fp8_e5m2": 0.06}


@pytest.mark.parametrize("type", BOUNDS)
@pytest.mark.parametrize("block", [0, 32])
def test_the_error_that_is_measured_is_the_error(net, type, block):
    before = network(net)
    after, errors = quantise_weights(before, type, block)
    after.module.verify()
    assert set(errors) == {"w0", "w1", "w2"}
    inputs = [RNG.normal(size=shape) for shape in ((4, 256), (2, 16, 9, 9))]
    outputs = zip(*(interpret(each.module, inputs, each.weights) for each in (before, after)), strict=True)
    for (exact, found), error in zip(outputs, errors.values(), strict=True):
        assert 0 < error < BOUNDS[type]
        assert np.linalg.norm(found - exact) / np.linalg.norm(exact) == pytest.approx(error, rel=0.2)


def test_smaller_blocks_err_less_and_more_bits_too(net):
    errors = {(t, b): quantise_weights(network(net), t, b)[1]["w0"] for t in ("i4", "i8") for b in (0, 32)}
    assert errors["i8", 32] < errors["i8", 0] < errors["i4", 32] < errors["i4", 0]


def test_weights_take_fewer_bytes(net):
    before = network(net)
    after, _ = quantise_weights(before, "i4")
    assert weight_bytes(after) < 0.15 * weight_bytes(before)
    assert total(after).read_bytes < total(before).read_bytes


def test_where_arithmetic_is_the_limit_nothing_is_quantised(net):
    n = net((2048, 512), element=f32)
    w = np.ones((512, 2048), np.float32)
    _, errors = quantise_weights(n.network(n("Matmul", n.inputs[0], n.weight(w))), "i8", device="cpu")
    assert not errors


def test_L1_weights_that_are_not_finite_stay(net):
    n = net((2, 8), element=f32)
    w = np.ones((8, 300), np.float32)
    w[0, 0] = np.inf
    assert not quantise_weights(n.network(n("Matmul", n.inputs[0], n.weight(w))))[1]


def test_L1_weights_without_elements_stay(net):
    n = net((2, 0), element=f32)
    assert not quantise_weights(n.network(n("Matmul", n.inputs[0], n.weight(np.ones((0, 300), np.float32)))))[1]


def test_scales_by_hand():
    values = np.array([[1.0, -8.0, 3.0], [0.0, 4.0, -14.0], [0.0, 0.0, 7.0]])
    np.testing.assert_allclose(scales_of(values, (0, 1), IntegerType(4)), [[1 / 7, 8 / 7, 2.0]])
    np.testing.assert_allclose(scales_of(values, (1, 0), IntegerType(4)), [[8 / 7], [2.0], [1.0]])
    np.testing.assert_allclose(scales_of(values, (2, 1), i8), [[1 / 127, 8 / 127, 14 / 127], [1.0, 1.0, 7 / 127]])


def test_types_that_are_not_known_are_refused():
    for name in ("i9", "i1", "f32", "fp4"):
        with pytest.raises((ValueError, KeyError)):
            element_of(name)
