"""`fuse-conv-batch-norm`: the text before and after, the meaning on random convolutions, and its legality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, TensorType, f64
from xdsl.ir import Block, SSAValue

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.opt import main
from dovetail.passes import run_pipeline
from dovetail.passes.nn.fold_weights import fold_weights
from dovetail.passes.nn.fuse_conv_batch_norm import can_fuse, should_fuse
from dovetail.passes.nn.profit import default_target

CASE = Path(__file__).parents[2] / "cases/nn_conv_batch_norm.mlir"
FUSE = (("fuse-conv-batch-norm", ""),)


def named(name: str) -> NameLoc:
    return NameLoc(StringAttr(name), NoneAttr())


def network(groups: int = 1, bias: bool = False, seed: int = 0, weights: bool = True) -> nn.NnModule:
    """conv, batch norm; parameters are weights, or inputs of main where `weights` is false."""
    rng = np.random.default_rng(seed)
    shapes = {"w": (6, 4 // groups, 3, 2), "b": (6,), "scale": (6,), "shift": (6,), "mean": (6,), "variance": (6,)}
    values = {name: rng.uniform(0.5, 1.5, shape) for name, shape in shapes.items() if bias or name != "b"}
    types = {name: TensorType(f64, shapes[name]) for name in values}
    block = Block(arg_types=[TensorType(f64, (2, 4, 5, 5)), *([] if weights else types.values())])
    made: dict[str, SSAValue] = dict(zip(types, block.args[1:], strict=False))
    if weights:
        ops = {name: nn.WeightOp.make(type=type, weight=name) for name, type in types.items()}
        block.add_ops(ops.values())
        made = {name: op.result for name, op in ops.items()}
    conv = nn.ConvOp.make(block.args[0], made["w"], made.get("b"), strides=(2, 1), pads=(1, 0, 0, 1), groups=groups)
    norm = nn.BatchNormOp.make(conv.result, *(made[n] for n in ("scale", "shift", "mean", "variance")), epsilon=0.01)
    conv.location, norm.location = named("conv"), named("norm")
    block.add_ops([conv, norm])
    return nn.NnModule(nn.build_main(block, [norm.result]), values if weights else {}, ("x",), ("y",))


def pair(module: nn.NnModule) -> tuple[nn.ConvOp, nn.BatchNormOp]:
    conv, norm = list(nn.body_of(module.module))[-2:]
    assert isinstance(conv, nn.ConvOp)
    assert isinstance(norm, nn.BatchNormOp)
    return conv, norm


def test_text(golden, capsys):
    assert main([str(CASE), "-p", "fuse-conv-batch-norm"]) == 0
    golden("passes/nn_conv_batch_norm.mlir", capsys.readouterr().out)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_meaning_is_kept_and_the_batch_norm_is_gone(groups, bias):
    before = network(groups, bias, seed=groups)
    fused = nn.NnModule(before.module.clone(), before.weights, ("x",), ("y",))
    run_pipeline(fused.module, FUSE)
    after = fold_weights(fused)
    assert [op.name for op in nn.body_of(after.module)] == ["nn.weight", "nn.weight", "nn.conv"]
    x = np.random.default_rng(3).normal(size=(2, 4, 5, 5))
    (expected,) = interpret(before.module, [x], before.weights)
    for each in (fused, after):
        np.testing.assert_allclose(interpret(each.module, [x], each.weights)[0], expected, rtol=1e-11, atol=1e-12)
    assert total(after).moved_bytes < total(before).moved_bytes
    assert total(after).flops < total(before).flops


def test_the_fused_convolution_has_both_locations_and_the_attributes():
    module = network().module
    run_pipeline(module, FUSE)
    conv = list(nn.body_of(module))[-1]
    assert isinstance(conv, nn.ConvOp)
    assert "conv" in str(conv.location)
    assert "norm" in str(conv.location)
    assert nn.ints(conv.strides) == (2, 1)


def test_a_pair_of_weights_alone_may_and_should_be_fused():
    conv, norm = pair(network())
    assert can_fuse(conv, norm)
    assert should_fuse(conv, norm, default_target())


def test_L1_a_convolution_that_another_op_uses_is_left_alone():
    conv, norm = pair(network())
    nn.ReluOp.make(conv.result)
    assert not can_fuse(conv, norm)


def test_L2_parameters_that_are_inputs_are_left_alone():
    conv, norm = pair(network(weights=False))
    assert not can_fuse(conv, norm)
