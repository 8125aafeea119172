"""Pieces that differ in their weights alone: one source, one function, and weights of their own."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import dovetail
from dovetail.backends.jax.program import JaxProgram
from dovetail.backends.placed.program import PlacedProgram
from dovetail.ir import nn
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare

from .test_program import run_alone

FOLDERS = {"h100-sxm": "triton", "tpu-v5e": "pallas", "npu": "scratchpad", "epyc-9554": "jax"}
FLEET = """
devices:
  npu: {kind: npu, memory: 1 GB, bandwidth: 9 GB/s, flops: {fp32: 5 TFLOP/s}, scratchpad: 32 KiB, price: {rent: 1USD/h}}
  epyc-9554: {kind: cpu, memory: 8 GB, bandwidth: 20 GB/s, flops: {fp32: 1 TFLOP/s}, price: {rent: 1USD/h}}
"""
X = np.random.default_rng(9).standard_normal((4, 16)).astype(np.float32)


def layers(count: int) -> nn.NnModule:
    """tanh(x w) so many times."""
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((16, 16)).astype(np.float32) / 4 for _ in range(count)]

    def apply(x):
        for w in weights:
            x = jnp.tanh(x @ w)
        return x

    return read_jax(apply, (X,))


def alternating(network: nn.NnModule, *devices: str, fleet: Path | None = None) -> PlacedProgram:
    """Each layer on the next of `devices`."""
    count = len(working_ops(prepare(network)))
    placement = [devices[i // 2 % len(devices)] for i in range(count)]
    return dovetail.compile(network, fleet=fleet, placement=placement).network


@pytest.mark.parametrize("device", FOLDERS)
def test_equal_pieces_are_one_source(device: str, tmp_path: Path) -> None:
    if FOLDERS[device] == "triton":
        pytest.importorskip("triton")
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    other = "h100-sxm" if device == "epyc-9554" else "epyc-9554"
    if other == "h100-sxm":
        pytest.importorskip("triton")
    network = layers(5)
    program = alternating(network, device, other, fleet=fleet if device == "npu" else None)
    own = [step for step in program.steps if step.executor.way == FOLDERS[device]]
    assert [(step.name, step.executor.module) for step in own] == [("p0", "p0"), ("p2", "p0"), ("p4", "p0")]
    (wanted,) = dovetail.compile(network)(X)
    (found,) = program(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    files = {file.path for file in program.files()}
    assert f"{FOLDERS[device]}/p0/p2.safetensors" in files
    assert not any(path.startswith(f"{FOLDERS[device]}/p2/") for path in files)
    out = dovetail.program.Program(None, program).save(tmp_path / "out")
    (alone,) = run_alone(out, {"x": X})
    np.testing.assert_array_equal(alone, found)


def test_equal_pieces_share_what_is_compiled() -> None:
    pytest.importorskip("triton")
    program = alternating(layers(4), "epyc-9554", "h100-sxm")
    first, second = (run for step in program.steps if isinstance(run := step.executor.run, JaxProgram))
    assert first.function is second.function
    program(X)
    assert first.function._cache_size() == 1


def test_pieces_on_other_devices_or_of_other_shapes_have_their_own() -> None:
    pytest.importorskip("triton")
    program = alternating(layers(4), "h100-sxm", "epyc-9554", "a100-sxm", "epyc-9554")
    assert [step.executor.module for step in program.steps] == ["p0", "p1", "p2", "p1"]


def test_run_py_names_module_and_weights(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    (script,) = [str(f.content) for f in alternating(layers(4), "epyc-9554", "h100-sxm").files() if f.path == "run.py"]
    tables = [node for node in ast.parse(script).body if isinstance(node, ast.Assign)]
    rows = next(ast.literal_eval(t.value) for t in tables if ast.unparse(t.targets[0]) == "PIECES")
    assert [row[:3] for row in rows] == [
        ("jax", "p0", "p0.safetensors"),
        ("triton", "p1", "weights.safetensors"),
        ("jax", "p0", "p2.safetensors"),
        ("triton", "p1", "p3.safetensors"),
    ]
