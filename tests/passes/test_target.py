"""What the passes for a target leave can be emitted, and means the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from dovetail.backends.jax.emit import emit_jax
from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.onnx import read_onnx
from dovetail.passes.target import lower_for_target

CLASSIFIER = Path(__file__).parents[2] / "examples/classifier/classifier.onnx"


def run_emitted(network: nn.NnModule, folder: Path, x: np.ndarray) -> np.ndarray:
    """What the emitted JAX source gives for `x`."""
    for path, content in emit_jax(network, "classifier").contents().items():
        (folder / path).write_bytes(content)
    spec = importlib.util.spec_from_file_location("emitted_classifier", folder / "classifier.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return np.asarray(module.classifier(module.load_weights(), x))


def test_a_network_lowered_for_a_gpu_can_be_emitted_and_means_the_same(tmp_path):
    network = read_onnx(CLASSIFIER)
    lowered = lower_for_target(network, "gpu")
    x = np.random.default_rng(4).normal(size=(1, 3, 32, 32)).astype(np.float32)
    (expected,) = interpret(network.module, [x], network.weights)
    np.testing.assert_allclose(interpret(lowered.module, [x], lowered.weights)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(run_emitted(lowered, tmp_path, x), expected, rtol=1e-4)


def test_lowering_for_a_gpu_moves_fewer_bytes_in_fewer_launches():
    network = read_onnx(CLASSIFIER)
    before, after = total(network), total(lower_for_target(network, "gpu"))
    assert after.moved_bytes < 0.8 * before.moved_bytes
    assert after.launches < before.launches
    assert after.flops <= before.flops


def test_a_kind_of_device_without_a_pipeline_is_an_error():
    with pytest.raises(KeyError):
        lower_for_target(read_onnx(CLASSIFIER), "abacus")
