"""The kernels of convolution against the meaning of `nn.conv` in float64."""

from __future__ import annotations

import numpy as np
import pytest
from random_shapes import SEEDS, Case
from xdsl.dialects.builtin import TensorType, f64
from xdsl.ir import Block

from dovetail.backends.triton.interpreter import Named, library
from dovetail.ir import nn
from dovetail.ir.interpret import interpret

FIXED = {"block_m": 16, "block_n": 16, "block_k": 16, "num_warps": 4, "num_stages": 2}


def meaning(x, w, **window):
    block = Block(arg_types=[TensorType(f64, x.shape), TensorType(f64, w.shape)])
    op = nn.ConvOp.make(*block.args, **window)
    block.add_op(op)
    (found,) = interpret(nn.build_main(block, [op.result]), [x.astype(np.float64), w.astype(np.float64)], {})
    return found


def drawn_window(case: Case, rank: int) -> tuple[tuple[int, ...], ...]:
    """Size of an image, and window, strides, dilations and pads that fit it."""
    size = [case.size((60, 12, 6)[rank - 1]) for _ in range(rank)]
    kernel, strides, dilations = ([case.size(3) for _ in range(rank)] for _ in range(3))
    pads = [case.size(3) - 1 for _ in range(2 * rank)]
    for i in range(rank):
        pads[i] += max(0, dilations[i] * (kernel[i] - 1) + 1 - size[i] - pads[i] - pads[i + rank])
    return tuple(size), tuple(kernel), tuple(strides), tuple(dilations), tuple(pads)


@pytest.mark.parametrize("seed", SEEDS)
def test_conv(interpreter, seed):
    """One to three dimensions, strides, dilations, pads on each side, groups to the depthwise, an epilogue."""
    case = Case(seed)
    rank = case.pick(1, 2, 2, 3)
    groups = case.pick(1, 1, 2, 3)
    depth, per_group, batch = case.pick(1, case.size(8)), case.size(9), case.size(3)
    size, kernel, strides, dilations, pads = drawn_window(case, rank)
    x, w = case.array(batch, depth * groups, *size), case.array(per_group * groups, depth, *kernel)
    window = {"strides": strides, "pads": pads, "dilations": dilations, "groups": groups}
    expected = meaning(x, w, **window)
    bias, residual = case.array(per_group * groups, *[1] * rank), case.array(*expected.shape)
    tensors = {"x": x, "w": w, "out": case.empty(*expected.shape), "operands": [bias, residual]}
    blocks = {"block_m": case.pick(16, 64), "block_n": case.pick(16, 32), "block_k": case.pick(16, 32)}
    (found,) = interpreter.call(
        library("conv"), tensors, ["out"], epilogue=Named("epilogues", "bias_residual"), **window, **blocks,
        num_warps=4, num_stages=2,
    )  # fmt: skip
    case.check(found, expected + bias.astype(np.float64) + residual.astype(np.float64))


@pytest.mark.parametrize("seed", SEEDS)
def test_depthwise(interpreter, seed):
    """Every filter sees one channel, of which it may be one of several; otherwise as above."""
    case = Case(seed)
    rank = case.pick(1, 2, 2, 3)
    channels, repeat, batch = case.size(9), case.pick(1, 1, 2, 3), case.size(3)
    size, kernel, strides, dilations, pads = drawn_window(case, rank)
    x, w = case.array(batch, channels, *size), case.array(channels * repeat, 1, *kernel)
    window = {"strides": strides, "pads": pads, "dilations": dilations}
    expected = meaning(x, w, **window, groups=channels)
    bias, residual = case.array(channels * repeat, *[1] * rank), case.array(*expected.shape)
    tensors = {"x": x, "w": w, "out": case.empty(*expected.shape), "operands": [bias, residual]}
    (found,) = interpreter.call(
        library("depthwise"), tensors, ["out"], epilogue=Named("epilogues", "bias_residual"), **window,
        block=case.pick(64, 256), num_warps=4,
    )  # fmt: skip
    case.check(found, expected + bias.astype(np.float64) + residual.astype(np.float64))


def test_depthwise_refuses_filters_of_several_channels(interpreter):
    window = {"strides": (1,), "pads": (0, 0), "dilations": (1,), "block": 64, "num_warps": 4}
    x, w = np.zeros((1, 4, 6), np.float32), np.zeros((4, 2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(4, 2, 3\) has no filters for each of 4 channels alone"):
        interpreter.call(library("depthwise"), {"x": x, "w": w, "out": np.zeros((1, 4, 4))}, ["out"], **window)


def test_what_is_not_finite_reaches_what_its_window_sees(interpreter):
    case = Case(0)
    x, w = case.array(1, 2, 6, 7), np.abs(case.array(3, 2, 3, 3))
    x[0, 0, 2, 2], x[0, 1, 5, 6] = np.nan, np.inf
    window = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1), "groups": 1}
    tensors = {"x": x, "w": w, "out": case.empty(1, 3, 6, 7)}
    (found,) = interpreter.call(library("conv"), tensors, ["out"], **window, **FIXED)
    np.testing.assert_allclose(found, meaning(x, w, **window), rtol=1e-4, atol=1e-4)


def test_an_empty_batch_and_a_wrong_output(interpreter):
    window = {"strides": (1,), "pads": (0, 0), "dilations": (1,), "groups": 1}
    x, w = np.zeros((0, 2, 6), np.float32), np.zeros((3, 2, 3), np.float32)
    (found,) = interpreter.call(
        library("conv"), {"x": x, "w": w, "out": np.zeros((0, 3, 4), np.float32)}, ["out"], **window, **FIXED
    )
    assert found.shape == (0, 3, 4)
    wrong = {"x": np.zeros((1, 2, 6), np.float32), "w": w, "out": np.zeros((1, 3, 5), np.float32)}
    with pytest.raises(ValueError, match=r"\(1, 3, 5\) is not \(1, 3, 4\)"):
        interpreter.call(library("conv"), wrong, ["out"], **window, **FIXED)
