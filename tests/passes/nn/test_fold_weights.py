"""`fold_weights`: what depends on weights alone is worked out once, and nothing else is touched."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, TensorType, f32, f64, i64
from xdsl.ir import Attribute, Block

from dovetail.costmodel.tensor_graph import weight_bytes
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes import run_pipeline
from dovetail.passes.nn.fold_constants import can_fold, should_fold
from dovetail.passes.nn.fold_weights import fold_weights
from dovetail.passes.target import lower_for_target

RNG = np.random.default_rng(11)
CHANNELS = 3


def normalised(element: Attribute = f32, dtype: type = np.float32) -> nn.NnModule:
    """A batch norm with weights named as exporters do, then a relu."""
    body = Block(arg_types=[TensorType(element, (2, CHANNELS, 4, 4))])
    vector = TensorType(element, [CHANNELS])
    names = ("bn.scale", "bn.bias", "bn.mean", "bn.variance")
    weights = [nn.WeightOp.make(type=vector, weight=name) for name in names]
    norm = nn.BatchNormOp.make(body.args[0], *(w.result for w in weights), epsilon=1e-3)
    norm.location = NameLoc(StringAttr("bn"), NoneAttr())
    relu = nn.ReluOp.make(norm.result)
    body.add_ops([*weights, norm, relu])
    values = {name: RNG.uniform(0.5, 1.5, CHANNELS).astype(dtype) for name in names}
    return nn.NnModule(nn.build_main(body, [relu.result]), values, ("x",), ("y",))


def ops_of(network: nn.NnModule) -> list[str]:
    return [op.name.removeprefix("nn.") for op in nn.body_of(network.module)]


def test_a_decomposed_batch_norm_becomes_one_scale_and_one_shift():
    network = normalised()
    decomposed = nn.NnModule(network.module.clone(), network.weights, ("x",), ("y",))
    run_pipeline(decomposed.module, (("decompose-batch-norm", ""),))
    folded = fold_weights(decomposed)
    folded.module.verify()
    assert ops_of(folded) == ["weight", "weight", "mul", "add", "relu"]
    gain = network.weights["bn.scale"] / np.sqrt(network.weights["bn.variance"] + 1e-3)
    assert set(folded.weights) == {"bn.gain", "bn.shift"}
    assert folded.weights["bn.gain"].dtype == np.float32
    np.testing.assert_allclose(folded.weights["bn.gain"].ravel(), gain, rtol=1e-6)
    assert weight_bytes(folded) == 2 * CHANNELS * 4
    assert "rsqrt" in ops_of(decomposed)  # the network given is left as it was


def test_the_pipeline_of_a_gpu_keeps_the_meaning():
    network = normalised(f64, np.float64)
    lowered = lower_for_target(network, "gpu")
    x = RNG.normal(size=(2, CHANNELS, 4, 4))
    got, expected = (interpret(n.module, [x], n.weights)[0] for n in (lowered, network))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert ops_of(lower_for_target(normalised(), "gpu")) == ["weight", "weight", "fused_elementwise"]


def test_a_device_without_passes_gets_the_network_as_it_is():
    assert ops_of(lower_for_target(normalised(), "api")) == ops_of(normalised())


def test_L1_what_depends_on_an_input_is_not_folded():
    body = Block(arg_types=[TensorType(f32, [2])])
    weight = nn.WeightOp.make(type=TensorType(f32, [2]), weight="w")
    known = {weight.result}
    assert can_fold(nn.ExpOp.make(weight.result), known)
    assert not can_fold(nn.AddOp.make(weight.result, body.args[0]), known)
    assert not can_fold(nn.FillOp.make(type=TensorType(f32, [2]), value=1.0), known)


def shape_arithmetic(first: int) -> nn.NnModule:
    """concat(gather(s, 0) * s2, -1), as exporters write the shape of a reshape, and a cast so that it leaves."""
    body = Block(arg_types=[TensorType(f32, [2])])
    kinds = TensorType(i64, [1])
    shape, at = nn.WeightOp.make(type=TensorType(i64, [3]), weight="s"), nn.WeightOp.make(type=kinds, weight="at")
    picked = nn.GatherOp.make(shape.result, at.result, axis=0)
    product = nn.MulOp.make(picked.result, picked.result)
    last = nn.ConcatOp.make(product.result, at.result, axis=0)
    out = nn.CastOp.make(last.result, type=TensorType(f32, [2]))
    add = nn.AddOp.make(body.args[0], out.result)
    body.add_ops([shape, at, picked, product, last, out, add])
    values = {"s": np.array([first, 3, 5]), "at": np.array([0])}
    return nn.NnModule(nn.build_main(body, [add.result]), values, ("x",), ("y",))


def test_arithmetic_on_shapes_is_folded():
    folded = fold_weights(shape_arithmetic(7))
    assert ops_of(folded) == ["weight", "add"]
    (value,) = folded.weights.values()
    assert list(value) == [49, 0]


def test_integers_that_float64_cannot_hold_are_folded_exactly():
    folded = fold_weights(shape_arithmetic(2**61 + 1))
    assert ops_of(folded) == ["weight", "add"]
    (value,) = folded.weights.values()
    assert list(value) == [np.float32(2**62 + 1), 0]  # (2^61 + 1)^2 in 64 bits


def test_a_single_number_becomes_a_constant():
    body = Block(arg_types=[TensorType(f32, [2])])
    epsilon = nn.WeightOp.make(type=TensorType(f32, []), weight="eps")
    root = nn.SqrtOp.make(epsilon.result)
    add = nn.AddOp.make(body.args[0], epsilon.result)
    last = nn.MulOp.make(add.result, root.result)
    body.add_ops([epsilon, root, add, last])
    network = nn.NnModule(nn.build_main(body, [last.result]), {"eps": np.array(0.25)}, ("x",), ("y",))
    folded = fold_weights(network)
    assert ops_of(folded) == ["fill", "fill", "add", "mul"]
    assert not folded.weights


def test_a_weight_is_not_blown_up():
    weight = nn.WeightOp.make(type=TensorType(f32, [2]), weight="w")
    assert not should_fold(nn.BroadcastOp.make(weight.result, type=TensorType(f32, [9, 2])))
    assert should_fold(nn.ReduceOp.make(weight.result, kind="sum", axes=(0,)))


def test_a_weight_under_another_shape_stays_a_view():
    weight = nn.WeightOp.make(type=TensorType(f32, [2]), weight="w")
    assert not should_fold(nn.ReshapeOp.make(weight.result, type=TensorType(f32, [2, 1])))


def test_new_names_do_not_hide_old_weights_and_unused_ones_go():
    body = Block(arg_types=[TensorType(f32, [2])])
    kinds = TensorType(f32, [2])
    old, other, unused = (nn.WeightOp.make(type=kinds, weight=name) for name in ("exp", "w", "unused"))
    made = nn.ExpOp.make(other.result)
    first = nn.AddOp.make(body.args[0], old.result)
    last = nn.AddOp.make(first.result, made.result)
    body.add_ops([old, other, unused, made, first, last])
    values = {"exp": np.array([1, 2], np.float32), "w": np.zeros(2, np.float32), "unused": np.zeros(2, np.float32)}
    folded = fold_weights(nn.NnModule(nn.build_main(body, [last.result]), values, ("x",), ("y",)))
    assert {name: list(array) for name, array in folded.weights.items()} == {"exp": [1, 2], "exp_2": [1, 1]}
    np.testing.assert_allclose(interpret(folded.module, [np.zeros(2)], folded.weights)[0], [2, 3])
