"""A network to emit: a small one from an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def small_onnx(tmp_path: Path) -> Path:
    """A file with two inputs, two outputs, a branch, and one of most things that image networks are made of."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(3)
    shapes = {"conv/w": (8, 3, 3, 3), "conv/b": (8,), "bn/s": (8,), "bn/b": (8,), "bn/mean": (8,), "fc/w": (10, 16)}
    weights = {name: rng.normal(0.0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["bn/var"] = rng.uniform(0.5, 1.5, 8).astype(np.float32)
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "conv/w", "conv/b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv"),
        node("BatchNormalization", ["c", "bn/s", "bn/b", "bn/mean", "bn/var"], ["n"], name="bn"),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["m"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("AveragePool", ["r"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Concat", ["m", "a"], ["features"], axis=1),
        node("GlobalAveragePool", ["features"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "fc/w", "bias"], ["logits"], transB=1),
        node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])
    bias = helper.make_tensor_value_info("bias", TensorProto.FLOAT, [10])
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 16, 8, 8]),
    ]
    initial = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "small", [image, bias], outputs, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "small.onnx"
    onnx.save(model, str(path))
    return path


@pytest.fixture
def small_inputs() -> dict[str, np.ndarray]:
    """Inputs for `small_onnx`."""
    rng = np.random.default_rng(5)
    shapes = {"image": (1, 3, 16, 16), "bias": (10,)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
