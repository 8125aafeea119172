"""int8 graphs through Arm's compiler, where it is installed, beside our own figures."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block

from dovetail.backends.vela.estimate import estimate
from dovetail.backends.vela.run import run_vela
from dovetail.backends.vela.tflite import tflite_bytes
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.onnx import read_onnx
from dovetail.passes.target import lower_for_target

INSTALLED = importlib.util.find_spec("ethosu") is not None
with_vela = pytest.mark.skipif(not INSTALLED, reason="needs the extra `vela`, Arm's compiler ethos-u-vela")


def residual(kernel: int = 3, pads: tuple[int, ...] = (1, 1, 1, 1)) -> nn.NnModule:
    """relu(conv(x)) + x on (1, 16, 8, 8)."""
    block = Block(arg_types=[TensorType(f32, (1, 16, 8, 8))])
    weight = nn.WeightOp.make(type=TensorType(f32, (16, 16, kernel, kernel)), weight="w")
    conv = nn.ConvOp.make(block.args[0], weight.result, pads=pads)
    relu = nn.ReluOp.make(conv.result)
    block.add_ops([weight, conv, relu])
    last = relu.result
    if nn.shape_of(last) == (1, 16, 8, 8):
        add = nn.AddOp.make(last, block.args[0])
        block.add_op(add)
        last = add.result
    return nn.NnModule(nn.build_main(block, [last]), {}, ("x",), ("y",))


def squeezenet() -> nn.NnModule:
    onnx = pytest.importorskip("onnx")
    light = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
    return lower_for_target(read_onnx(light), "npu")


def test_our_figures_are_those_worked_out_by_hand() -> None:
    found = estimate(residual())
    assert (found.peak_bytes, found.proved) == (3 * 1024, True)  # the sum, with both of its inputs
    assert found.macs == 8 * 8 * 16 * 16 * 9
    assert found.cycles == 16 * 16 * 9 + 3 * 1024 / 8  # the weights bind, then the feature maps


def test_squeezenet_by_our_own_figures() -> None:
    found = estimate(squeezenet())
    assert (found.peak_bytes, found.proved, found.macs) == (982_144, True, 349_151_936)


@pytest.mark.skipif(INSTALLED, reason="ethos-u-vela is installed")
def test_without_vela_one_is_told() -> None:
    with pytest.raises(InputError, match="ethos-u-vela is not installed"):
        run_vela(b"", sram_bytes=1)


@with_vela
def test_vela_agrees_on_sram_and_takes_longer_than_our_bound() -> None:
    """With SRAM to spare it keeps operators whole, as we do; it moves commands and small tables too."""
    ours, found = estimate(squeezenet()), run_vela(tflite_bytes(squeezenet()), sram_bytes=4 * 2**20)
    assert found.cpu_operators == 0
    assert ours.peak_bytes <= found.sram_bytes <= 1.01 * ours.peak_bytes
    assert ours.macs <= found.macs <= 1.02 * ours.macs  # it counts pools too
    assert 0.8 * found.cycles <= ours.cycles <= found.cycles


@with_vela
def test_less_sram_costs_vela_cycles_and_traffic() -> None:
    model = tflite_bytes(squeezenet())
    much, little = (run_vela(model, sram_bytes=size) for size in (4 * 2**20, 384 * 1024))
    assert little.sram_bytes < much.sram_bytes
    assert little.cycles > much.cycles
    assert little.moved_bytes > much.moved_bytes


@with_vela
def test_a_sum_is_read_from_where_it_lies() -> None:
    found = run_vela(tflite_bytes(residual()), sram_bytes=2**20)
    assert found.cpu_operators == 0
    assert found.macs >= estimate(residual()).macs


@with_vela
def test_padding_that_tflite_cannot_say_is_refused() -> None:
    with pytest.raises(InputError, match="neither TFLite's `same` nor none"):
        tflite_bytes(residual(pads=(2, 2, 2, 2)))


@with_vela
def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InputError, match="refuses the network"):
        run_vela(b"nothing", sram_bytes=2**20)
