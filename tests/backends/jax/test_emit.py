"""The text of emitted JAX source: readable, formatted, and safe whatever the graph's names are."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ArrayAttr, TensorType, f64

from dovetail.backends.jax.emit import emit_jax
from dovetail.backends.safetensors import read_safetensors
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.onnx import read_onnx
from dovetail.passes.target import lower_for_target


def test_source_of_a_small_network(small_onnx, golden):
    source = emit_jax(read_onnx(small_onnx), "small")
    golden("jax/small.py", source.sources["small.py"])
    golden("jax/run.py", source.sources["run.py"])


def test_source_of_fused_chains(make_network, golden):
    def build(add, x, scale):
        short = [("mul", (0, 1)), ("relu", (2,))]
        x = add(nn.FusedElementwiseOp, x, scale, steps=ArrayAttr([nn.StepAttr.of(*step) for step in short]))
        square = [("mul", (0, 0)), ("mul", (2, 1)), ("tanh", (3,)), ("add", (0, 4)), ("sigmoid", (5,))]
        weighted = [("mul", (5, 6)), ("exp", (7,)), ("add", (8, 1)), ("sub", (9, 3))]
        steps = ArrayAttr([nn.StepAttr.of(*step) for step in square + weighted])
        return add(nn.FusedElementwiseOp, x, scale, steps=steps)

    golden("jax/chains.py", emit_jax(make_network(build, [(2, 3, 4), (3, 1)]), "chains").sources["chains.py"])


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_source_is_formatted(kind, small_onnx, tmp_path):
    network = lower_for_target(read_onnx(small_onnx), kind)
    for name, text in emit_jax(network, "small").sources.items():
        (tmp_path / name).write_text(text)
    ruff = [str(Path(sys.executable).parent / "ruff"), "format", "--isolated", "--diff", str(tmp_path)]
    if not Path(ruff[0]).exists():
        pytest.skip("ruff is not installed")
    done = subprocess.run(ruff, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_weights_are_safetensors_and_equal_networks_give_equal_bytes(small_onnx, tmp_path):
    first, second = (emit_jax(read_onnx(small_onnx), "small").files("jax/small")[-1] for _ in range(2))
    assert first == second
    assert first.path == "jax/small/small.safetensors"
    assert isinstance(first.content, bytes)
    (tmp_path / "small.safetensors").write_bytes(first.content)
    weights = read_safetensors(tmp_path / "small.safetensors")
    assert set(weights) == {"conv/w", "conv/b", "bn", "fc/w"}
    assert weights["bn"].shape == (4, 8)  # scale, bias, mean, variance


@pytest.mark.parametrize("name", ["run", "jax", "numpy", "json", "conv", "load_weights", "w", "class", "3d net", ""])
def test_no_network_name_hides_a_module_or_a_layer(small_onnx, name):
    source = emit_jax(read_onnx(small_onnx), name)
    assert source.name.isidentifier()
    assert source.name != name
    assert set(source.sources) == {f"{source.name}.py", "weights_file.py", "run.py"}


def test_hostile_names_stay_inside_their_strings(make_network):
    network = make_network(lambda add, x: add(nn.ReluOp, x), [(2,)])
    bad = 'a"\n];import os;\\'
    source = emit_jax(replace(network, input_names=(bad,), output_names=(bad,)), 'n"\nimport os')
    tree = ast.parse(source.sources[f"{source.name}.py"])
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert list(tables["INPUTS"]) == [bad]
    assert tables["OUTPUTS"] == (bad,)
    imported = [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]
    assert "os" not in imported


def test_element_types_without_code_are_refused(make_network):
    def build(add, x):
        return add(nn.FillOp, type=TensorType(f64, [2]), value=1.0)

    with pytest.raises(InputError, match="float64"):
        emit_jax(make_network(build, [(2,)]), "wide")


def test_a_weight_without_values_is_named(make_network):
    def build(add, x):
        return add(nn.AddOp, x, add(nn.WeightOp, type=nn.tensor_type(x), weight="lost"))

    with pytest.raises(InputError, match="weight `lost` has no values"):
        emit_jax(make_network(build, [(2,)]), "net")
