"""What the passes for a target leave can be emitted, and means the same."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

import numpy as np
import pytest
from xdsl.ir import Operation

from dovetail.backends.jax.emit import emit_jax
from dovetail.backends.triton.emit import emit_triton
from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.mlir import verify_in_mlir
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.text import print_module
from dovetail.passes.target import lower_for_target

CLASSIFIER = Path(__file__).parents[3] / "examples/classifier/classifier.onnx"


def run_emitted(network: nn.NnModule, x: np.ndarray) -> np.ndarray:
    """What the emitted JAX source gives for `x`."""
    import jax.numpy as jnp

    source, names = emit_jax(network, "classifier"), {}
    exec(source.sources["classifier.py"], names)
    return np.asarray(names["classifier"]({key: jnp.asarray(w) for key, w in source.weights.items()}, jnp.asarray(x)))


def test_a_network_lowered_for_a_gpu_can_be_emitted_and_means_the_same():
    network = read_onnx(CLASSIFIER)
    lowered = lower_for_target(network, "gpu")
    x = np.random.default_rng(4).normal(size=(1, 3, 32, 32)).astype(np.float32)
    (expected,) = interpret(network.module, [x], network.weights)
    np.testing.assert_allclose(interpret(lowered.module, [x], lowered.weights)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(run_emitted(lowered, x), expected, rtol=1e-4)


def test_every_chain_of_a_lowered_network_has_a_triton_kernel():
    chains = [op for op in nn.body_of(lower_for_target(read_onnx(CLASSIFIER), "gpu").module) if _is_chain(op)]
    sources = [emit_triton(op, f"kernel_{i}") for i, op in enumerate(chains)]
    assert len(sources) == 2  # the gate, the sum and the relu of each block


def _is_chain(op: Operation) -> TypeGuard[nn.FusedElementwiseOp]:
    return isinstance(op, nn.FusedElementwiseOp)


@pytest.mark.parametrize("kind", ["gpu", "npu", "cpu"])
def test_no_batch_norm_behind_a_convolution_is_left(kind):
    names = [op.name for op in nn.body_of(lower_for_target(read_onnx(CLASSIFIER), kind).module)]
    assert "nn.batch_norm" not in names


def test_lowering_for_a_gpu_moves_fewer_bytes_in_fewer_launches():
    network = read_onnx(CLASSIFIER)
    before, after = total(network), total(lower_for_target(network, "gpu"))
    assert after.moved_bytes < 0.8 * before.moved_bytes
    assert after.launches < before.launches
    assert after.flops <= before.flops


def test_a_kind_of_device_without_a_pipeline_is_an_error():
    with pytest.raises(KeyError):
        lower_for_target(read_onnx(CLASSIFIER), "abacus")


def test_mlir_itself_verifies_a_lowered_network():
    pytest.importorskip("torch_mlir")
    lowered = lower_for_target(read_onnx(CLASSIFIER), "gpu")
    assert "nn.fused_elementwise" in verify_in_mlir(print_module(lowered.module, generic=True))
