"""Weights that were left out: drawn by what they are for, through ops of several results too."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.weights import reseed_constant_weights


def network() -> nn.NnModule:
    """A layer norm, a split, and a transposed convolution of one half, whose weights are all 1."""
    shapes = {"scale": (6,), "bias": (6,), "kernel": (2, 3, 3)}
    block = Block(arg_types=[TensorType(f32, [2, 4, 6])])
    made = {name: nn.WeightOp.make(type=TensorType(f32, shape), weight=name) for name, shape in shapes.items()}
    norm = nn.LayerNormOp.make(block.args[0], made["scale"].result, made["bias"].result, axis=2)
    split = nn.SplitOp.make(norm.result, axis=1, sizes=(2, 2))
    conv = nn.ConvTransposeOp.make(split.pieces[0], made["kernel"].result, strides=(2,))
    block.add_ops([*made.values(), norm, split, conv])
    weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    return nn.NnModule(nn.build_main(block, [conv.result, split.pieces[1]]), weights, ("x",), ("y", "z"))


def test_constant_weights_are_drawn_by_their_use() -> None:
    drawn = reseed_constant_weights(network(), seed=1)
    assert all(float(np.ptp(array)) > 0 for array in drawn.weights.values())
    assert 0.5 <= drawn.weights["scale"].min() <= drawn.weights["scale"].max() <= 1.5
    assert np.abs(drawn.weights["bias"]).max() < 0.5
    x = np.random.default_rng(2).normal(size=(2, 4, 6))
    y, z = interpret(drawn.module, [x], drawn.weights)
    assert 0.5 < y.std() < 2, "kernels are scaled so that their layer has unit variance"
    assert z.shape == (2, 2, 6)
