"""Whole published networks, read and interpreted, against onnxruntime."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.weights import onnx_with_weights, reseed_constant_weights

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
CLASSIFIER = Path(__file__).parents[4] / "examples/classifier"


@pytest.mark.parametrize(
    "name", ["light_shufflenet", "light_squeezenet", pytest.param("light_densenet121", marks=pytest.mark.slow)]
)
def test_a_published_network_means_what_onnxruntime_says(name):
    path = LIGHT / f"{name}.onnx"
    network = reseed_constant_weights(read_onnx(path), seed=3)
    session = onnxruntime.InferenceSession(onnx_with_weights(path, network.weights))
    rng, got = np.random.default_rng(5), []
    for _ in range(2):
        x = rng.normal(size=nn.shape_of(nn.main_of(network.module).args[0])).astype(np.float32)
        expected = np.asarray(session.run(None, {network.input_names[0]: x})[0])
        got += interpret(network.module, [x], network.weights)
        scale = np.abs(expected).max()
        assert np.abs(got[-1] - expected).max() <= 1e-4 * scale
        assert np.ptp(expected) > 1e-3 * scale
    assert np.abs(got[0] - got[1]).max() > 1e-3 * np.abs(got[0]).max()


def small(tmp_path: Path) -> Path:
    """conv, batch norm, matmul, with every weight constant, some as initialisers and inputs, as old exporters do."""
    kernel, four = np.full((4, 3, 3, 3), 0.02, np.float32), np.full(4, 0.02, np.float32)
    constants = {"kernel": kernel, "scale": four, "bias": four, "mean": four, "matrix": np.ones((4, 2), np.float32)}
    nodes = [
        helper.make_node("Constant", [], ["variance"], value=numpy_helper.from_array(four)),
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "scale", "bias", "mean", "variance"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "matrix"], ["y"]),
    ]
    ends = {"x": (2, 3, 6, 6), **{name: array.shape for name, array in constants.items()}}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=3), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_reseeding_gives_each_role_its_own_values(tmp_path):
    network = read_onnx(small(tmp_path))
    weights = reseed_constant_weights(network, seed=1).weights
    assert np.ptp(network.weights["kernel"]) == 0
    for name in ("scale", "variance"):
        assert 0.5 <= weights[name].min() < weights[name].max() <= 1.5
    assert 0 < np.abs(weights["mean"]).max() < 1
    again, other = (reseed_constant_weights(network, seed=seed).weights for seed in (1, 2))
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    assert not np.array_equal(weights["kernel"], other["kernel"])


def test_reseeding_gives_each_layer_unit_variance(tmp_path):
    network = reseed_constant_weights(read_onnx(small(tmp_path)), seed=1)
    deviations = {}
    x = np.random.default_rng(9).normal(size=(2, 3, 6, 6))
    interpret(network.module, [x], network.weights, lambda op, y: deviations.update({op.name: y[0].std()}))
    assert 0.5 < deviations["nn.conv"] < 2


def test_weights_that_vary_are_kept(tmp_path):
    path = small(tmp_path)
    network = reseed_constant_weights(read_onnx(path), seed=1)
    path.write_bytes(onnx_with_weights(path, network.weights))
    read = read_onnx(path)
    assert read.input_names == ("x",)
    again = reseed_constant_weights(read, seed=2)
    assert all(np.array_equal(again.weights[name], network.weights[name]) for name in network.weights)


def test_the_classifier_of_the_examples_is_what_its_script_makes():
    spec = importlib.util.spec_from_file_location("make_model", CLASSIFIER / "make_model.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    stored = onnx.load(CLASSIFIER / "classifier.onnx")
    assert stored == script.make_model()


def test_the_classifier_means_what_onnxruntime_says():
    path = CLASSIFIER / "classifier.onnx"
    network, session = read_onnx(path), onnxruntime.InferenceSession(path)
    images = np.random.default_rng(0).normal(size=(2, 1, 3, 32, 32)).astype(np.float32)
    images[1] *= 0.3  # less contrast
    expected = [np.asarray(session.run(None, {"image": x})[0]) for x in images]
    got = [interpret(network.module, [x], network.weights)[0] for x in images]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-7)
    assert np.abs(got[0] - got[1]).max() > 0.01
