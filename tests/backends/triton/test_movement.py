"""Kernels that move elements: pools, copies, gathers, rows to experts and back, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_shapes import DTYPES, SEEDS, Case, wide
from xdsl.dialects.builtin import TensorType, f64
from xdsl.ir import Block

from dovetail.backends.triton.interpreter import Named, library
from dovetail.ir import nn
from dovetail.ir.interpret import interpret


@pytest.mark.parametrize("seed", SEEDS)
def test_pool(interpreter, seed):
    """One to three dimensions, strides, dilations and pads of every kind, means over the padding or not."""
    case = Case(seed)
    rank, mean = case.pick(1, 2, 2, 3), case.pick(True, False)
    kernel = [case.size(3) for _ in range(rank)]
    dilations = [case.size(2) for _ in range(rank)]
    # Every window sees an element: there is no mean of none.
    size = [d * (k - 1) + case.size((40, 8, 4)[rank - 1]) for k, d in zip(kernel, dilations, strict=True)]
    strides = [case.size(3) for _ in range(rank)]
    pads = [case.size(k) - 1 for k in kernel] + [case.size(k) - 1 for k in kernel]
    x = case.array(case.size(2), case.size(4), *size)
    window: dict[str, Any] = {"kernel": tuple(kernel), "strides": tuple(strides), "pads": tuple(pads)}
    window["dilations"] = tuple(dilations)
    block = Block(arg_types=[TensorType(f64, x.shape)])
    count_pads = mean and case.pick(True, False)
    if mean:
        op = nn.AveragePoolOp.make(block.args[0], **window, count_pads=int(count_pads))
    else:
        op = nn.MaxPoolOp.make(block.args[0], **window)
    block.add_op(op)
    (expected,) = interpret(nn.build_main(block, [op.result]), [x.astype(np.float64)], {})
    tensors = {"x": x, "out": case.empty(*expected.shape)}
    options = {**window, "mean": mean, "count_pads": count_pads, "block": case.pick(16, 128), "num_warps": 4}
    (found,) = interpreter.call(library("pool"), tensors, ["out"], **options)
    case.check(found, expected)


def test_the_largest_of_what_is_not_a_number(interpreter):
    x = np.zeros((1, 1, 6), np.float32)
    x[0, 0, 2], x[0, 0, 5] = np.nan, np.inf
    tensors = {"x": x, "out": np.zeros((1, 1, 5), np.float32)}
    window = {"kernel": (2,), "strides": (1,), "pads": (0, 0), "dilations": (1,)}
    (found,) = interpreter.call(library("pool"), tensors, ["out"], mean=False, block=16, num_warps=4, **window)
    np.testing.assert_array_equal(found[0, 0], [0, np.nan, np.nan, 0, np.inf])


@pytest.mark.parametrize("seed", SEEDS)
def test_copy(interpreter, seed):
    """Transposed, broadcast, cast."""
    case = Case(seed)
    shape = tuple(case.size(9) for _ in range(case.size(4)))
    x, kind = case.array(*(s if case.pick(True, True, False) else 1 for s in shape)), case.pick(*DTYPES)
    out = (
        np.asfortranarray(case.empty(*shape, dtype=kind)) if case.pick(True, False) else case.empty(*shape, dtype=kind)
    )
    x = np.asfortranarray(x) if case.pick(True, False) else x
    (found,) = interpreter.call(library("copy"), {"x": x, "out": out}, ["out"], block=64, num_warps=4)
    expected = np.broadcast_to(x, shape).astype(DTYPES[kind]).astype(np.float64)
    # The interpreter cuts float32 off where it makes bfloat16 of it; GPUs round.
    tolerance = 2.0**-7 if kind == "bfloat16" else 0.0
    np.testing.assert_allclose(found.astype(np.float64), expected, rtol=tolerance)


@pytest.mark.parametrize("seed", SEEDS)
def test_chains_of_broadcast_operands(interpreter, seed):
    case = Case(seed)
    shape = tuple(case.size(9) for _ in range(case.size(4)))
    arrays = [case.array(*(s if case.pick(True, True, False) else 1 for s in shape)) for _ in range(3)]
    arrays = [np.asfortranarray(x) if case.pick(True, False) else x for x in arrays]
    tensors, chain = {"operands": arrays, "out": case.empty(*shape)}, Named("epilogues", "bias_residual")
    (found,) = interpreter.call(library("pointwise"), tensors, ["out"], chain=chain, block=64, num_warps=4)
    x, y, z = wide(*arrays)
    case.check(found, np.broadcast_to(x + y + z, shape))


@pytest.mark.parametrize("seed", SEEDS)
def test_gather(interpreter, seed):
    """Indices from either end."""
    case = Case(seed)
    outer, count, inner, picked = case.size(3), case.size(20), case.size(40), case.size(20)
    table, indices = case.array(outer, count, inner), case.rng.integers(-count, count, picked)
    tensors = {"table": table, "indices": indices, "out": case.empty(outer, picked, inner)}
    blocks = {"block_rows": case.pick(4, 8), "block_n": case.pick(32, 64), "num_warps": 4}
    (found,) = interpreter.call(library("gather"), tensors, ["out"], **blocks)
    np.testing.assert_array_equal(found, np.take(table, indices, axis=1))


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_to_experts_and_back(interpreter, seed):
    case = Case(seed)
    tokens, count, width = case.size(24), case.size(12), case.size(40)
    k = case.size(min(3, count))
    experts = np.array([case.rng.permutation(count)[:k] for _ in range(tokens)])
    x, picks = case.array(tokens, width), tokens * k
    tensors = {"x": x, "experts": experts, "rows": case.empty(picks, width)}
    tensors |= {"order": np.full(picks, -1), "sizes": np.full(count, -1)}
    rows, order, sizes = interpreter.call(
        library("dispatch"), tensors, ["rows", "order", "sizes"], block_p=case.pick(8, 16), block_n=64, num_warps=4
    )
    expected = np.argsort(experts.ravel(), kind="stable")
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(sizes, np.bincount(experts.ravel(), minlength=count))
    np.testing.assert_array_equal(rows, x[expected // k])
    weights = case.array(tokens, k)
    tensors = {"y": rows, "weights": weights, "order": order, "out": case.empty(tokens, width)}
    (found,) = interpreter.call(library("combine", "dispatch"), tensors, ["out"], block_n=64, num_warps=4)
    wide_x, wide_weights = wide(x, weights)
    case.check(found, wide_x * wide_weights.sum(1, keepdims=True))
