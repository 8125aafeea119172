"""`recognise-norms`: layer and RMS norms in every spelling, and what nearly is one."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.ir import nn

PASSES = ("canonicalise", "recognise-norms", "canonicalise")
SHAPE = (2, 3, 8)
RNG = np.random.default_rng(3)


def layer_norm(n, x, axes=(2,), epsilon=1e-5, variance_axes=None, outside=False, root="rsqrt", fast=False):
    mean = n("Reduce", x, kind="mean", axes=axes)
    centred = n("Sub", x, mean)
    if fast:
        squares = n("Reduce", n("Mul", x, x), kind="mean", axes=axes)
        variance = n("Max", n("Sub", squares, n("Mul", mean, mean)), 0.0)
    else:
        variance = n("Reduce", n("Pow", centred, 2.0), kind="mean", axes=variance_axes or axes)
    if outside:
        return n("Div", centred, n("Add", n("Sqrt", variance), epsilon)), mean
    moved = n("Add", variance, epsilon)
    if root == "rsqrt":
        return n("Mul", centred, n("Rsqrt", moved)), mean
    if root == "pow":
        return n("Div", centred, n("Pow", moved, 0.5)), mean
    return n("Div", centred, n("Sqrt", moved)), mean


@pytest.mark.parametrize("root", ["rsqrt", "sqrt", "pow"])
@pytest.mark.parametrize("axes", [(2,), (1, 2), (0, 1, 2)])
def test_layer_norm(net, check, root, axes):
    n = net(SHAPE)
    done = check(n.network(layer_norm(n, n.inputs[0], axes=axes, root=root)[0]), PASSES)
    assert done.kinds == ["layer_norm"]
    norm = done.op(nn.LayerNormOp)
    assert (nn.integer(norm.axis), nn.number(norm.epsilon)) == (axes[0], 1e-5)


def test_layer_norm_by_the_mean_of_squares(net, check):
    n = net(SHAPE)
    done = check(
        n.network(layer_norm(n, n.inputs[0], fast=True)[0]), ("canonicalise", "recognise-activations", *PASSES)
    )
    assert done.kinds == ["layer_norm"]


def test_scale_and_bias_join(net, check):
    n = net(SHAPE)
    scale = n("Reshape", n.weight(RNG.normal(size=8)), type=n.type((1, 1, 8)))
    y = n("Add", n("Mul", scale, layer_norm(n, n.inputs[0])[0]), n.weight(RNG.normal(size=8)))
    done = check(n.network(y), PASSES)
    assert len(done.op(nn.LayerNormOp).operands) == 3


def test_a_scale_that_goes_with_the_root(net, check):
    n = net(SHAPE)
    x = n.inputs[0]
    mean = n("Reduce", n("Mul", x, x), kind="mean", axes=(2,))
    gain = n("Mul", n("Rsqrt", n("Add", mean, 1e-6)), n.weight(RNG.normal(size=8)))
    done = check(n.network(n("Mul", x, gain)), PASSES)
    assert done.kinds == ["rms_norm"]
    assert len(done.op(nn.RmsNormOp).operands) == 2


def test_rms_norm_from_a_sum(net, check):
    n = net(SHAPE)
    x = n.inputs[0]
    mean = n("Div", n("Reduce", n("Mul", x, x), kind="sum", axes=(2,)), 8.0)
    done = check(n.network(n("Div", x, n("Sqrt", n("Add", mean, 1e-6)))), PASSES)
    assert done.kinds == ["rms_norm"]


NEAR = {
    "the first axis": {"axes": (0,)},
    "an axis in the middle": {"axes": (1,)},
    "a variance over other axes": {"variance_axes": (1, 2)},
    "epsilon outside the root": {"outside": True},
}


@pytest.mark.parametrize("name", NEAR)
def test_what_nearly_is_a_layer_norm_stays(net, check, name):
    n = net(SHAPE)
    done = check(n.network(layer_norm(n, n.inputs[0], **NEAR[name])[0]), PASSES)
    assert "layer_norm" not in done.kinds


def test_a_mean_that_leaves_too_stays(net, check):
    n = net(SHAPE)
    assert "layer_norm" not in check(n.network(*layer_norm(n, n.inputs[0])), PASSES).kinds


def test_a_sum_over_another_count_is_no_mean(net, check):
    n = net(SHAPE)
    x = n.inputs[0]
    mean = n("Div", n("Reduce", n("Mul", x, x), kind="sum", axes=(2,)), 7.0)
    assert "rms_norm" not in check(n.network(n("Mul", x, n("Rsqrt", n("Add", mean, 1e-6)))), PASSES).kinds


def test_a_scale_of_another_shape_stays_outside(net, check):
    n = net(SHAPE)
    y = n("Mul", layer_norm(n, n.inputs[0])[0], n.weight(RNG.normal(size=(3, 8))))
    assert check(n.network(y), PASSES).kinds == ["layer_norm", "mul"]


def test_a_row_that_does_not_fit_on_the_chip_stays(net):
    from dovetail.passes.nn import run

    n = net((2, 100_000))
    network = n.network(layer_norm(n, n.inputs[0], axes=(1,))[0])
    for device, found in (("h100-sxm", 0), ("cpu", 1)):  # nothing is known of a CPU's caches
        done, fired = run(network, PASSES, device)
        assert fired.get("norm", 0) == found
        assert ("nn.layer_norm" in str(done.module)) == bool(found)
