"""Networks of a plan: each is lowered and emitted once, whoever asks, and code that is there is not emitted anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backends import EmitContext, OutputFile, emit_all
from dovetail.backends.jax import emit as jax_emit
from dovetail.backends.jax import program as jax_program
from dovetail.backends.pallas import emit as pallas_emit
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.read.saved import save_network
from dovetail.passes import target

TPU = "tpu: {model: tpu-v5e, count: 0..8, price: {rent: 1 USD/h}}"
CPU = (
    "cpu: {kind: cpu, cores: 8, memory: 8 GB, bandwidth: 20 GB/s, flops: {fp32: 1 TFLOP/s}, "
    "count: 0..8, price: {rent: 1 USD/h}}"
)
GRAPH = """
version: 1
name: twins
nodes:
  first: {kind: model, graph: net.mlir, place: {on: [tpu]}}
  second: {kind: model, graph: net.mlir, place: {on: [cpu]}}
  third: {kind: model, graph: net.mlir, place: {on: [cpu]}}
edges: [first -> second, second -> third]
workload: {rate: 1 req/s}
fleet: fleet.yaml
"""
W = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
X = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that lower and emit, in the order in which they are called; they work as ever."""
    found: list[str] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            found.append(function.__name__)
            return function(*args, **named)

        return call

    emit_jax = counted(jax_emit.emit_jax)
    for module in (jax_emit, jax_program):
        monkeypatch.setattr(module, "emit_jax", emit_jax)
    for module, name in ((target, "lower_at_precision"), (pallas_emit, "emit_pallas")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return found


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A workflow that runs one network on a TPU and twice on a CPU."""
    (tmp_path / "fleet.yaml").write_text(f"devices:\n  {TPU}\n  {CPU}\n")
    (tmp_path / "graph.yaml").write_text(GRAPH)
    save_network(read_jax(lambda x: abs(x @ W), (X,)), tmp_path / "net.mlir")
    return tmp_path / "graph.yaml"


def test_a_network_is_lowered_once_for_each_device(graph: Path, calls: list[str]) -> None:
    plan = dovetail.plan(graph)
    calls.clear()
    files = emit_all(plan.document, EmitContext(plan.base_dir))
    assert calls.count("lower_at_precision") == 2
    assert calls.count("emit_jax") == 3
    assert calls.count("emit_pallas") == 1
    folders = {file.path.rpartition("/")[0] for file in files}
    assert {"jax/first", "jax/second", "jax/third", "pallas/first"} <= folders


def test_plans_of_one_graph_share_what_was_emitted(graph: Path, calls: list[str]) -> None:
    plan = dovetail.plan(graph)
    context = EmitContext(plan.base_dir)
    files = emit_all(plan.document, context)
    calls.clear()
    assert emit_all(plan.document, context) == files
    assert calls == []


def test_saving_a_program_lowers_and_emits_nothing_anew(graph: Path, calls: list[str], tmp_path: Path) -> None:
    (tmp_path / "cpus.yaml").write_text(f"devices:\n  {CPU}\n")
    program = dovetail.compile(tmp_path / "net.mlir", fleet=tmp_path / "cpus.yaml")
    assert calls.count("emit_jax") == 1
    calls.clear()
    out = program.save(tmp_path / "out")
    assert calls == []
    assert program.plan is not None
    written = {file.path: file.content for file in emit_all(program.plan.document, EmitContext(tmp_path))}
    for path in ("network.py", "weights_file.py", "run.py", "network.safetensors"):
        content = written[f"jax/network/{path}"]
        assert (out / "jax" / "network" / path).read_bytes() == (
            content.encode() if isinstance(content, str) else content
        )


def test_code_that_is_there_stands(graph: Path) -> None:
    plan = dovetail.plan(graph)
    ours = OutputFile("jax/second/second.py", "# ours\n")
    files = {file.path: file.content for file in emit_all(plan.document, EmitContext(plan.base_dir, code=[ours]))}
    assert files["jax/second/second.py"] == "# ours\n"
    assert "jax/second/run.py" not in files
    assert "jax/third/run.py" in files
