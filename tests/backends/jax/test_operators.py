"""Every nn operator: emitted JAX source against the reference interpreter on random inputs."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import ArrayAttr, TensorType, f32

from dovetail.backends.jax.program import build_program
from dovetail.ir import nn
from dovetail.ir.interpret import interpret


def _chain(*steps):
    return ArrayAttr([nn.StepAttr.of(kind, args) for kind, args in steps])


def _gelu(add, x):
    half, one, root = (add(nn.FillOp, type=TensorType(f32, []), value=v) for v in (0.5, 1.0, 0.7071067811865476))
    steps = _chain(("mul", (0, 3)), ("erf", (4,)), ("add", (5, 2)), ("mul", (0, 1)), ("mul", (7, 6)))
    return add(nn.FusedElementwiseOp, x, half, one, root, steps=steps)


def _shared_step(add, x, y):
    return add(nn.FusedElementwiseOp, x, y, steps=_chain(("sub", (0, 1)), ("exp", (2,)), ("div", (2, 3))))


def _long_chain(add, x):
    """Too long for a line; the flowing input is used again after the first step."""
    y = add(nn.ExpOp, x)
    steps = [("mul", (0, 0)), ("tanh", (1,)), ("sigmoid", (2,)), ("exp", (3,)), ("add", (4, 0)), ("tanh", (5,))]
    steps += [("sigmoid", (6,)), ("mul", (7, 7)), ("sub", (8, 7))]
    return add(nn.FusedElementwiseOp, y, steps=_chain(*steps))


def _scalars(add, x):
    two = add(nn.FillOp, type=TensorType(f32, []), value=-2.5)
    return add(nn.SubOp, add(nn.MulOp, x, two), add(nn.SubOp, two, x))


IMAGE, FILTERS = (2, 4, 9, 8), (6, 2, 3, 3)
CASES = {
    "conv2d": (
        lambda add, x, w, b: add(nn.ConvOp, x, w, b, strides=(2, 1), pads=(0, 1, 2, 1), dilations=(1, 2), groups=2),
        [IMAGE, FILTERS, (6,)],
    ),
    "max_pool": (lambda add, x: add(nn.MaxPoolOp, x, kernel=(3, 2), strides=(2, 2), pads=(1, 0, 2, 1)), [IMAGE]),
    "average_pool": (lambda add, x: add(nn.AveragePoolOp, x, kernel=(3, 2), pads=(1, 0, 2, 1)), [IMAGE]),
    "average_pool_count_pads": (
        lambda add, x: add(nn.AveragePoolOp, x, kernel=(3, 2), pads=(1, 0, 2, 1), count_pads=1),
        [IMAGE],
    ),
    "matmul": (lambda add, a, b: add(nn.MatmulOp, a, b), [(2, 1, 3, 4), (5, 4, 6)]),
    "gemm": (lambda add, a, b, c: add(nn.GemmOp, a, b, c, transpose_a=1, transpose_b=1), [(4, 3), (5, 4), (5,)]),
    "gemm_plain": (lambda add, a, b: add(nn.GemmOp, a, b), [(3, 4), (4, 5)]),
    "batch_norm": (
        lambda add, x, s, b, m, v: add(nn.BatchNormOp, x, s, b, m, add(nn.ExpOp, v), epsilon=1e-5),
        [IMAGE, (4,), (4,), (4,), (4,)],
    ),
    "softmax": (lambda add, x: add(nn.SoftmaxOp, x, axis=1), [IMAGE]),
    "reduce_sum": (lambda add, x: add(nn.ReduceOp, x, kind="sum", axes=(1, 3)), [IMAGE]),
    "reduce_mean": (lambda add, x: add(nn.ReduceOp, x, kind="mean", axes=(2,)), [IMAGE]),
    "reduce_max": (lambda add, x: add(nn.ReduceOp, x, kind="max", axes=(0,)), [IMAGE]),
    "reshape": (lambda add, x: add(nn.ReshapeOp, x, type=TensorType(f32, [8, 72])), [IMAGE]),
    "reshape_to_scalar": (lambda add, x: add(nn.ReshapeOp, x, type=TensorType(f32, [])), [(1, 1)]),
    "broadcast": (lambda add, x: add(nn.BroadcastOp, x, type=TensorType(f32, [5, 3, 4])), [(3, 1)]),
    "transpose": (lambda add, x: add(nn.TransposeOp, x, permutation=(0, 2, 3, 1)), [IMAGE]),
    "concat": (lambda add, x, y: add(nn.ConcatOp, x, y, axis=1), [IMAGE, (2, 1, 9, 8)]),
    "slice": (lambda add, x: add(nn.SliceOp, x, starts=(0, 1, 0, 2), limits=(2, 3, 9, 5)), [IMAGE]),
    "fill": (lambda add, x: add(nn.AddOp, x, add(nn.FillOp, type=TensorType(f32, [4]), value=0.1)), [(3, 4)]),
    "gelu": (_gelu, [(3, 40)]),
    "shared_step": (_shared_step, [(3, 4), (4,)]),
    "long_chain": (_long_chain, [(3, 4)]),
    "scalars": (_scalars, [(3, 4)]),
}
POSITIVE = ("log", "sqrt", "rsqrt", "div")
for _kind, _op in nn.ELEMENTWISE.items():
    _shapes = [(3, 4), (4,)][: _op.ARITY]
    CASES[_kind] = (lambda add, *xs, op=_op: add(op, *xs), _shapes)


def test_every_operator_has_a_case(make_network):
    covered = {op.name for build, shapes in CASES.values() for op in nn.body_of(make_network(build, shapes).module)}
    assert covered >= {op.name for op in nn.Nn.operations} - {"nn.weight"}  # weights: test_program.py


@pytest.mark.parametrize("case", CASES)
def test_operator_means_what_the_interpreter_says(case, make_network):
    build, shapes = CASES[case]
    network = make_network(build, shapes)
    rng = np.random.default_rng(7)
    draw = (lambda s: rng.uniform(0.5, 2.0, s)) if case in POSITIVE else rng.standard_normal
    inputs = [draw(shape).astype(np.float32) for shape in shapes]
    (expected,) = interpret(network.module, inputs, {})
    (found,) = build_program(network, case)(*inputs)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
