"""`tile-products`, `tile-convolutions` and `infer-shapes`."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.passes.nn import run
from dovetail.passes.nn.infer_shapes import with_inputs


@pytest.mark.parametrize("sizes", ["m=3", "n=2", "k=4", "m=3 n=2 k=4", "m=7 n=5 k=9"])
@pytest.mark.parametrize("shapes", [((7, 9), (9, 5)), ((2, 7, 9), (9, 5)), ((2, 1, 7, 9), (3, 9, 5))])
def test_a_product_in_tiles(net, check, sizes, shapes):
    n = net(*shapes)
    network = n.network(n("Matmul", *n.inputs))
    done = check(network, (f"tile-products{{{sizes}}}",))
    limits = dict(part.split("=") for part in sizes.split())
    for op in nn.body_of(done.network.module):
        if isinstance(op, nn.MatmulOp):
            found = {"m": nn.shape_of(op.result)[-2], "n": nn.shape_of(op.result)[-1], "k": nn.shape_of(op.a)[-1]}
            assert all(found[axis] <= int(limit) for axis, limit in limits.items())
    assert done.kinds.count("matmul") == (1 if sizes == "m=7 n=5 k=9" else done.kinds.count("matmul"))
    products = [op for op in nn.body_of(done.network.module) if isinstance(op, nn.MatmulOp)]
    whole = next(op for op in nn.body_of(network.module) if isinstance(op, nn.MatmulOp))
    assert sum(_flops(op) for op in products) == _flops(whole)


def _flops(op: nn.MatmulOp) -> int:
    return int(np.prod(nn.shape_of(op.result))) * nn.shape_of(op.a)[-1]


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (2, 1, 1, 2), (1, 0, 3, 0)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_in_parts(net, check, stride, pads, dilation, groups):
    n = net((2, 4, 11, 7), (6, 4 // groups, 3, 2), (6,))
    window = {"strides": (stride, 1), "pads": pads, "dilations": (dilation, 1), "groups": groups}
    done = check(
        n.network(n("Conv", *n.inputs, **window)), (f"tile-convolutions{{filters={4 if groups == 1 else 0} rows=2}}",)
    )
    assert done.kinds.count("conv") > 1


@pytest.mark.parametrize("dims", [1, 3])
def test_a_convolution_of_other_dimensions(net, check, dims):
    n = net((1, 2, *[6] * dims), (3, 2, *[3] * dims))
    assert check(n.network(n("Conv", *n.inputs)), ("tile-convolutions{filters=2 rows=2}",)).kinds.count("conv") == 4


def test_filters_of_a_convolution_in_groups_stay_together(net):
    n = net((1, 4, 6, 6), (6, 2, 3, 3))
    assert not run(n.network(n("Conv", *n.inputs, groups=2)), ("tile-convolutions{filters=2}",))[1]


def transformer_piece(n, batch, tokens):
    x = n("Matmul", n.inputs[0], n.weight(np.random.default_rng(0).normal(size=(8, 8))))
    heads = n("Transpose", n("Reshape", x, type=n.type((batch, tokens, 2, 4))), permutation=(0, 2, 1, 3))
    rows = n("Softmax", n("Reshape", heads, type=n.type((batch * 2, tokens, 4))), axis=2)
    return n("Cast", n("Reshape", rows, type=n.type((batch * 2, tokens * 4))), type=n.type((batch * 2, tokens * 4)))


def test_shapes_follow_other_inputs(net):
    n, m = net((2, 3, 8)), net((5, 7, 8))
    network, expected = n.network(transformer_piece(n, 2, 3)), m.network(transformer_piece(m, 5, 7))
    found = with_inputs(network, {"x0": (5, 7, 8)})
    found.module.verify()
    assert found.module.is_structurally_equivalent(expected.module)


def test_a_batch_that_is_open_and_then_known(net):
    batch = nn.Size.named("batch")
    n, m = net((2, 3, 8)), net((4, 3, 8))
    network, expected = n.network(transformer_piece(n, 2, 3)), m.network(transformer_piece(m, 4, 3))
    opened = with_inputs(network, {"x0": (batch, 3, 8)})  # type: ignore[arg-type]
    opened.module.verify()
    closed = nn.with_sizes(opened.module, {"batch": 4})
    assert closed.is_structurally_equivalent(expected.module)
    again, fired = run(nn.NnModule(closed, network.weights, ("x0",), ("y0",)), ("infer-shapes",))
    assert not fired
    x = np.random.default_rng(1).normal(size=(4, 3, 8))
    np.testing.assert_array_equal(
        interpret(again.module, [x], network.weights), interpret(expected.module, [x], network.weights)
    )


def test_types_inside_a_fusion_follow(net):
    from xdsl.dialects.builtin import f32

    n = net((4, 8), element=f32)
    network = n.network(n("Relu", n("Matmul", n.inputs[0], n.weight(np.ones((8, 6))))))
    fused, _ = run(network, ("fuse-epilogue",))
    found = with_inputs(fused, {"x0": (9, 8)})
    found.module.verify()
    assert total(found).write_bytes == 9 * 6 * 4


def test_a_view_that_could_follow_in_two_ways_is_refused(net):
    n = net((4, 3, 4))
    network = n.network(n("Relu", n("Reshape", n.inputs[0], type=n.type((2, 24)))))
    with pytest.raises(InputError, match=r"no axis of the view \(2, 24\)"):
        with_inputs(network, {"x0": (8, 6, 4)})


@pytest.mark.parametrize(("shape", "says"), [((2, 3, 9), "`nn.matmul` does not fit"), ((3, 8), "has another rank")])
def test_inputs_that_do_not_fit_are_refused(net, shape, says):
    n = net((2, 3, 8))
    with pytest.raises(InputError, match=says):
        with_inputs(n.network(transformer_piece(n, 2, 3)), {"x0": shape})
