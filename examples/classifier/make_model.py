"""
Makes classifier.onnx: a small convolutional network over 32 x 32 images, with seeded weights that were never trained.

    python examples/classifier/make_model.py        # writes classifier.onnx beside this file

It has what image networks are made of: a strided stem, residual blocks of depthwise and pointwise convolutions with
batch norm, a squeeze-and-excite gate, and a head. Weights are normal with the variance of He et al. 2015.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, CLASSES, SEED = 48, 10, 2026


class Graph:
    """Nodes and weights, added in order; each method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(SEED)

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}.out"], name, **attributes))
        return f"{name}.out"

    def weight(self, name: str, values: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(self, x: str, name: str, filters: int, inputs: int, size: int, **attributes: Any) -> str:
        """A convolution without bias, `inputs` being the channels that each filter sees."""
        deviation = np.sqrt(2.0 / (inputs * size * size))
        kernel = self.weight(f"{name}.weight", self.rng.normal(0.0, deviation, (filters, inputs, size, size)))
        return self.add("Conv", name, x, kernel, pads=[size // 2] * 4, **attributes)

    def batch_norm(self, x: str, name: str, channels: int) -> str:
        parts = {"scale": (0.8, 1.2), "bias": (-0.1, 0.1), "mean": (-0.1, 0.1), "variance": (0.5, 1.5)}
        vectors = [self.weight(f"{name}.{p}", self.rng.uniform(*ends, channels)) for p, ends in parts.items()]
        return self.add("BatchNormalization", name, x, *vectors, epsilon=1e-5)

    def block(self, x: str, name: str) -> str:
        """x + pointwise(relu(norm(depthwise(x)))), gated by the mean of each channel."""
        y = self.conv(x, f"{name}.depthwise", CHANNELS, 1, 3, group=CHANNELS)
        y = self.add("Relu", f"{name}.relu", self.batch_norm(y, f"{name}.norm1", CHANNELS))
        y = self.batch_norm(self.conv(y, f"{name}.pointwise", CHANNELS, CHANNELS, 1), f"{name}.norm2", CHANNELS)
        gate = self.conv(self.add("GlobalAveragePool", f"{name}.squeeze", y), f"{name}.excite", CHANNELS, CHANNELS, 1)
        y = self.add("Mul", f"{name}.gate", y, self.add("Sigmoid", f"{name}.sigmoid", gate))
        return self.add("Relu", f"{name}.sum.relu", self.add("Add", f"{name}.sum", x, y))


def make_model() -> onnx.ModelProto:
    """image (1, 3, 32, 32) -> probabilities (1, 10)."""
    graph = Graph()
    x = graph.conv("image", "stem", CHANNELS, 3, 3, strides=[2, 2])
    x = graph.add("Relu", "stem.relu", graph.batch_norm(x, "stem.norm", CHANNELS))
    x = graph.block(x, "block1")
    x = graph.add("MaxPool", "pool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.block(x, "block2")
    x = graph.add("Flatten", "flatten", graph.add("GlobalAveragePool", "mean", x))
    head = graph.weight("head.weight", graph.rng.normal(0.0, 0.15, (CLASSES, CHANNELS)))
    x = graph.add("Gemm", "head", x, head, graph.weight("head.bias", np.zeros(CLASSES)), transB=1)
    softmax = helper.make_node("Softmax", [x], ["probabilities"], "softmax", axis=-1)
    ends = (
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, CLASSES])],
    )
    made = helper.make_graph([*graph.nodes, softmax], "classifier", *ends, graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    Path(__file__).with_name("classifier.onnx").write_bytes(make_model().SerializeToString(deterministic=True))
