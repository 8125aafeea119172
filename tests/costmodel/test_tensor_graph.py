"""Totals of whole tensor graphs, worked by hand."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, SSAValue

from dovetail.costmodel.cost import Cost
from dovetail.costmodel.tensor_graph import activation_bytes, total, weight_bytes
from dovetail.ir import nn
from dovetail.ir.read.onnx import read_onnx


class Builder:
    """Adds ops to a `main` with inputs of the given numbers of elements."""

    def __init__(self, *inputs: int) -> None:
        self.block = Block(arg_types=[TensorType(f32, [n]) for n in inputs])

    def __call__(self, op: type[nn.TensorOp], *operands: SSAValue, **given) -> SSAValue:
        made = op.make(*operands, **given)
        self.block.add_op(made)
        return made.results[0]

    def network(self, *outputs: SSAValue) -> nn.NnModule:
        return nn.NnModule(nn.build_main(self.block, outputs), {}, (), ())


def test_total_adds_up_and_counts_a_weight_once():
    build = Builder(4)
    first, again = (build(nn.WeightOp, type=TensorType(f32, [4]), weight="w") for _ in range(2))
    y = build(nn.MulOp, build(nn.AddOp, build.block.args[0], first), again)
    network = build.network(y)
    assert total(network) == Cost(8, 64, 32, 2)
    assert weight_bytes(network) == 16


@pytest.mark.parametrize("outputs", [1, 2])
def test_activations_at_the_worst_op(outputs):
    # bytes: x 400 | a 400 | wide 4000 | s 4 ; x and a have died when s is made, unless a leaves
    build = Builder(100)
    a = build(nn.ReluOp, build.block.args[0])
    wide = build(nn.BroadcastOp, a, type=TensorType(f32, [10, 100]))
    s = build(nn.ReduceOp, wide, kind="sum", axes=(0, 1))
    assert activation_bytes(build.network(*(s, a)[:outputs])) == 4400 + (4 if outputs == 2 else 0)


def test_inputs_live_from_the_start_to_their_last_use():
    build = Builder(100, 1000)
    a = build(nn.ReluOp, build.block.args[0])
    b = build(nn.ReluOp, build.block.args[1])
    c = build(nn.AddOp, a, build(nn.ReduceOp, b, kind="max", axes=(0,)))
    # at b: a 400, the second input 4000 and b 4000; the first input died after a
    assert activation_bytes(build.network(c)) == 8400


def test_a_reshape_shares_memory_and_weights_are_none():
    build = Builder(100)
    w = build(nn.WeightOp, type=TensorType(f32, [100]), weight="w")
    flat = build(nn.ReshapeOp, w, type=TensorType(f32, [10, 10]))
    x = build(nn.ReshapeOp, build.block.args[0], type=TensorType(f32, [10, 10]))
    y = build(nn.ReshapeOp, build(nn.AddOp, x, flat), type=TensorType(f32, [100]))
    z = build(nn.ReluOp, y)
    assert activation_bytes(build.network(z)) == 800


def test_a_network_that_returns_its_input():
    build = Builder(100)
    network = build.network(build.block.args[0])
    assert (total(network), weight_bytes(network), activation_bytes(network)) == (Cost(), 0, 400)


def test_a_result_that_nobody_uses_lives_for_its_op_alone():
    build = Builder(100)
    for _ in range(3):
        build(nn.ReluOp, build.block.args[0])
    assert activation_bytes(build.network(build(nn.NegOp, build.block.args[0]))) == 800


@pytest.mark.parametrize(
    ("name", "multiply_adds", "parameters"), [("resnet50", 4.089e9, 25_557_032), ("densenet121", 2.834e9, 7_978_856)]
)
def test_published_networks_have_their_published_size(name, multiply_adds, parameters):
    """The figures of torchvision's model pages; ours count elementwise ops and the statistics of batch norms too."""
    light = Path(onnx.__file__).parent / "backend/test/data/light"
    network = read_onnx(light / f"light_{name}.onnx")
    assert 2 * multiply_adds < total(network).flops < 1.02 * 2 * multiply_adds
    assert 4 * parameters < weight_bytes(network) < 1.03 * 4 * parameters
