"""`fuse-epilogue` and `fuse-horizontal`: one launch for a product and what follows, or for several products."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import f16, f32

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.passes.nn import run
from dovetail.passes.nn.fuse_epilogue import TILES, tile_bytes
from dovetail.passes.nn.groups import Group
from dovetail.passes.nn.profit import target_of

RNG = np.random.default_rng(5)
EPILOGUE = ("fuse-epilogue",)


def linear(n, x, inner, columns, bias=True):
    y = n("Matmul", x, n.weight(RNG.normal(size=(inner, columns))))
    return n("Add", y, n.weight(RNG.normal(size=columns))) if bias else y


def test_bias_residual_and_activation_follow_in_one_launch(net, check):
    n = net((4, 8), (4, 6), element=f32)
    network = n.network(n("Gelu", n("Add", linear(n, n.inputs[0], 8, 6), n.inputs[1])))
    done = check(network, EPILOGUE)
    assert done.kinds == ["fusion"]
    assert [op.name for op in done.op(nn.FusionOp).steps] == ["nn.matmul", "nn.add", "nn.add", "nn.gelu"]
    before, after = total(network), total(done.network)
    assert (after.launches, after.flops) == (1, before.flops)
    assert after.moved_bytes < before.moved_bytes


def test_a_gate_of_the_product_itself(net, check):
    n = net((4, 8), element=f32)
    y = linear(n, n.inputs[0], 8, 6)
    assert check(n.network(n("Mul", y, n("Sigmoid", y))), EPILOGUE).kinds == ["fusion"]


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution(net, check, groups):
    n = net((1, 4, 6, 6), (1, 8, 4, 4), element=f32)
    y = n("Conv", n.inputs[0], n.weight(RNG.normal(size=(8, 4 // groups, 3, 3))), groups=groups)
    y = n("Relu", n("Add", n("Add", y, n.weight(RNG.normal(size=(8, 1, 1)))), n.inputs[1]))
    assert check(n.network(y), EPILOGUE).kinds == ["fusion"]


def test_a_cast_and_a_choice(net, check):
    n = net((4, 8), (4, 6), element=f32)
    y = linear(n, n.inputs[0], 8, 6)
    chosen = n("Where", n("Less", n.inputs[1], 0.0), y, 0.0)
    assert check(n.network(n("Cast", chosen, type=n.type((4, 6), f16))), EPILOGUE).kinds == ["fusion"]


def test_of_two_products_one_takes_the_sum(net, check):
    n = net((4, 8), element=f32)
    y = n("Add", linear(n, n.inputs[0], 8, 6, bias=False), linear(n, n.inputs[0], 8, 6, bias=False))
    assert check(n.network(y), EPILOGUE).kinds == ["matmul", "fusion"]


NOT = {
    "the product leaves too": lambda n, y: [n("Relu", y), y],
    "another op uses the product": lambda n, y: [n("Relu", y), n("Softmax", y, axis=1)],
    "the result is larger": lambda n, y: [n("Add", y, n.inputs[1])],
    "nothing follows": lambda n, y: [y],
    "a reduction follows": lambda n, y: [n("Reduce", y, kind="sum", axes=(0,))],
}


@pytest.mark.parametrize("name", NOT)
def test_what_is_not_fused(net, check, name):
    n = net((4, 8), (3, 4, 6), element=f32)
    done = check(n.network(*NOT[name](n, linear(n, n.inputs[0], 8, 6, bias=False))), EPILOGUE)
    assert "fusion" not in done.kinds


def test_what_the_product_reads_is_not_worked_out_inside(net, check):
    n = net((4, 8), element=f32)
    y = n("Relu", linear(n, n("Exp", n.inputs[0]), 8, 6, bias=False))
    assert check(n.network(y), EPILOGUE).kinds == ["exp", "fusion"]


def test_tiles_of_what_is_read_beside_must_fit_on_the_chip(net):
    """On a T4 a block has 64 KiB: tiles of 64 x 64 singles leave room for three more, on an H100 there is more."""
    n = net((4, 8), *[(4, 6)] * 12, element=f32)
    y = linear(n, n.inputs[0], 8, 6, bias=False)
    product = y.owner
    for other in n.inputs[1:]:
        y = n("Add", y, other)
    network = n.network(y)
    inside = {}
    for device in ("t4", "h100-sxm"):
        done, _ = run(network, EPILOGUE, device)
        fused = [op for op in nn.body_of(done.module) if isinstance(op, nn.FusionOp)]
        inside[device] = len(fused[0].operands) - 2 if fused else 0
    assert inside["t4"] < inside["h100-sxm"]
    group = Group(product)
    group.add(product)
    assert tile_bytes(product, group, product, TILES[1]) == 4 * 2 * 32 * 128
    assert target_of("t4").holds(64 * 1024)
    assert not target_of("t4").holds(64 * 1024 + 1)


def test_products_of_one_input_become_one(net, check):
    n = net((3, 8))
    x = n.inputs[0]
    parts = [linear(n, x, 8, columns) for columns in (6, 4, 4)]
    done = check(n.network(*parts), ("fuse-horizontal", "fold-constants"))
    assert done.kinds == ["fusion"]
    assert sorted(w.shape for w in done.network.weights.values()) == [(8, 14), (14,)]


def test_a_gate_and_what_it_gates(net, check):
    n = net((3, 8))
    x = n.inputs[0]
    gate, up = (linear(n, x, 8, 5, bias=False) for _ in range(2))
    done = check(n.network(n("Mul", n("Silu", gate), up)), ("fuse-horizontal", "fold-constants"))
    assert done.kinds == ["fusion", "silu", "mul"]


def test_gemms_with_turned_weights_and_biases(net, check):
    n = net((3, 8))
    x = n.inputs[0]
    gemms = [
        n("Gemm", x, n.weight(RNG.normal(size=(c, 8))), n.weight(RNG.normal(size=c)), transpose_b=1) for c in (4, 5)
    ]
    assert check(n.network(*gemms), ("fuse-horizontal", "fold-constants")).kinds == ["fusion"]


APART = {
    "two inputs": lambda n: [linear(n, x, 8, 4, bias=False) for x in n.inputs[:2]],
    "weights that are inputs": lambda n: [n("Matmul", n.inputs[0], n.inputs[2]) for _ in range(2)],
    "one with a bias, one without": lambda n: [linear(n, n.inputs[0], 8, 4, bias=b) for b in (True, False)],
    "a product by itself": lambda n: [linear(n, n.inputs[0], 8, 4)],
}


@pytest.mark.parametrize("name", APART)
def test_what_stays_apart(net, check, name):
    n = net((3, 8), (3, 8), (8, 4))
    assert "fusion" not in check(n.network(*APART[name](n)), ("fuse-horizontal",)).kinds
