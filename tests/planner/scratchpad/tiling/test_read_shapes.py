"""Shapes from tensor-graph JSON and from networks: the same nests, and what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dovetail.ir.diagnostics import InputError
from dovetail.planner.scratchpad.read import read_problem
from dovetail.planner.scratchpad.tiling import Nest, TiledPlan, minimum_bytes, plan_below, read_nests
from dovetail.planner.scratchpad.tiling.shapes import Slide, attention, convolution, elementwise, matmul, pool, rows

CONV = {"c": 4, "h": 8, "w": 6, "k": 8, "r": 3, "stride": 2, "pad": 1}

OPS: dict[str, tuple[str, list[str], dict[str, Any], Nest]] = {
    "conv": (
        "Conv", ["x", "w"], CONV,
        convolution("x", "w", "y", 1, 4, 8, Slide(8, 3, 2, 1, 1), Slide(6, 3, 2, 1, 1), element=2),
    ),
    "pool": (
        "MaxPool", ["x"], {"c": 4, "h": 8, "w": 6, "r": 2, "s": 3, "stride": [2, 1], "pad": [0, 1, 0, 1]},
        pool("x", "y", 1, 4, Slide(8, 2, 2), Slide(6, 3, 1, 1, 1)),
    ),
    "matmul": ("Gemm", ["x", "w"], {"m": 4, "n": 6, "k": 5}, matmul("x", "w", "y", 4, 6, 5, element=4)),
    "batch": (
        "MatMul", ["x", "w"], {"m": 4, "n": 6, "k": 5, "batch": 3, "partial_bytes": 4},
        matmul("x", "w", "y", 4, 6, 5, 3, shared=True, partial=4),
    ),
    "attention": (
        "Attention", ["x", "w", "v"], {"heads": 4, "seq": 8, "dim": 3, "kv_heads": 2},
        attention("x", "w", "v", "y", 4, 8, 8, 3, 2),
    ),
    "softmax": ("Softmax", ["x"], {"width": 16}, rows(["x"], ["y"], 10, 16)),
    "custom": ("Node", ["x"], {"kind": "elementwise"}, elementwise(["x"], ["y"], 12)),
}  # fmt: skip


def write(path: Path, ops: list[dict[str, Any]], sizes: dict[str, int], outputs: list[str]) -> Path:
    file = path / "graph.json"
    file.write_text(json.dumps({"ops": ops, "tensor_bytes_int8": sizes, "graph_outputs": outputs}))
    return file


@pytest.mark.parametrize("name", OPS)
def test_attributes_give_the_nest(name: str, tmp_path: Path) -> None:
    type, inputs, attributes, nest = OPS[name]
    op = {"name": "op", "type": type, "inputs": inputs, "outputs": ["y"], "attributes": attributes}
    sizes = {o.tensor: nest.whole_bytes(o) for o in nest.tensors}
    file = write(tmp_path, [op], sizes, ["y"])
    assert read_nests(file, read_problem(file, 0)) == {"op": nest}


def test_weights_that_are_not_listed_cost_nothing(tmp_path: Path) -> None:
    op = {"name": "op", "type": "Conv", "inputs": ["x"], "outputs": ["y"], "attributes": CONV}
    file = write(tmp_path, [op], {"x": 192, "y": 96}, ["y"])
    (nest,) = read_nests(file, read_problem(file, 0)).values()
    assert [o.tensor for o in nest.operands] == ["x", "y"]


def test_operators_without_attributes_have_no_nest_but_elementwise_ones_have(tmp_path: Path) -> None:
    ops = [
        {"name": "a", "type": "Conv", "inputs": ["x"], "outputs": ["y"]},
        {"name": "b", "type": "Add", "inputs": ["y", "bias"], "outputs": ["z"]},
        {"name": "c", "type": "Concat", "inputs": ["y", "z"], "outputs": ["out"]},
    ]
    file = write(tmp_path, ops, {"x": 64, "y": 64, "bias": 8, "z": 64, "out": 128}, ["out"])
    problem = read_problem(file, 0)
    nests = read_nests(file, problem)
    assert list(nests) == ["b"]
    assert minimum_bytes(problem, {**nests}) == 256
    assert minimum_bytes(problem, {}) == 256


WRONG = {
    "lacks `n`, `k`": ({"m": 4}, "operator `op`: `attributes` lack `n`, `k` of a matmul"),
    "unknown": ({"m": 4, "n": 2, "k": 2, "heads": 2}, "`heads` is no attribute of a matmul"),
    "no number": ({"m": "4", "n": 2, "k": 2}, "attribute `m` is '4', must be a whole number of at least 1"),
    "zero": ({"m": 0, "n": 2, "k": 2}, "attribute `m` is 0, must be a whole number of at least 1"),
    "input": ({"m": 4, "n": 2, "k": 3}, "by its attributes tensor `x` has 12 bytes, but the graph gives it 8"),
    "output": ({"m": 3, "n": 2, "k": 2}, "tensor `y` has 8 bytes, not a multiple of 6 elements"),
    "kind": ({"kind": "fft"}, "`fft` is no kind of operator that can be tiled"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str, tmp_path: Path) -> None:
    attributes, message = WRONG[name]
    op = {"name": "op", "type": "MatMul", "inputs": ["x", "w"], "outputs": ["y"], "attributes": attributes}
    file = write(tmp_path, [op], {"x": 8, "w": 4, "y": 8}, ["y"])
    with pytest.raises(InputError) as error:
        read_nests(file, read_problem(file, 0))
    assert message in str(error.value)


NETWORK = """
func.func @main(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %s: tensor<6x1x1xf32>) -> tensor<1x16xf32> {
  %c = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>,
       groups = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
  %m = "nn.mul"(%c, %s) : (tensor<1x6x8x8xf32>, tensor<6x1x1xf32>) -> tensor<1x6x8x8xf32>
  %p = "nn.max_pool"(%m) {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>,
       dilations = array<i64: 1, 1>} : (tensor<1x6x8x8xf32>) -> tensor<1x6x4x4xf32>
  %f = "nn.reshape"(%p) : (tensor<1x6x4x4xf32>) -> tensor<6x16xf32>
  %t = "nn.transpose"(%f) {permutation = array<i64: 1, 0>} : (tensor<6x16xf32>) -> tensor<16x6xf32>
  %g = "nn.gemm"(%f, %t) {transpose_a = 1 : i64, transpose_b = 1 : i64}
       : (tensor<6x16xf32>, tensor<16x6xf32>) -> tensor<16x16xf32>
  %q = "nn.softmax"(%g) {axis = 1 : i64} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %z = "nn.reduce"(%q) {kind = "sum", axes = array<i64: 0>} : (tensor<16x16xf32>) -> tensor<1x16xf32>
  func.return %z : tensor<1x16xf32>
}
"""


def test_a_network_is_planned_down_to_its_minimum(tmp_path: Path) -> None:
    file = tmp_path / "net.mlir"
    file.write_text(NETWORK)
    problem = read_problem(file, 0, parameters=True)
    nests = read_nests(file, problem, parameters=True)
    names = {op.name: nests[op.name].kind if op.name in nests else None for op in problem.operators}
    assert {"convolution", "pool", "matmul", "rows", "reduction", None} <= set(names.values())
    for op in problem.operators:
        if op.name in nests:
            whole = {o.tensor: nests[op.name].whole_bytes(o) for o in nests[op.name].tensors}
            assert whole == {problem.tensors[t].name: problem.tensors[t].bytes for t in op.touched}
    least = minimum_bytes(problem, nests)
    assert least < problem.least_size_bytes
    plan = plan_below(problem.with_size(least), nests)
    assert isinstance(plan, TiledPlan)
    assert plan.noncompulsory_bytes >= plan.tiling_bound_bytes >= plan.lower_bound_bytes


SEVERAL = """
func.func @main(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>, %v: tensor<1x2x4x4x4xf32>)
    -> (tensor<1x2x6xf32>, tensor<1x2x2x2x2xf32>) {
  %c = "nn.conv"(%x, %w) {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, groups = 1 : i64}
       : (tensor<1x4x8xf32>, tensor<6x4x3xf32>) -> tensor<1x6x6xf32>
  %a, %b = "nn.split"(%c) {axis = 1 : i64, sizes = array<i64: 4, 2>}
       : (tensor<1x6x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x2x6xf32>)
  %r = "nn.relu"(%b) : (tensor<1x2x6xf32>) -> tensor<1x2x6xf32>
  %p = "nn.max_pool"(%v) {kernel = array<i64: 2, 2, 2>, strides = array<i64: 2, 2, 2>,
       pads = array<i64: 0, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>}
       : (tensor<1x2x4x4x4xf32>) -> tensor<1x2x2x2x2xf32>
  func.return %r, %p : tensor<1x2x6xf32>, tensor<1x2x2x2x2xf32>
}
"""


def test_windows_of_other_dimensions_and_several_results(tmp_path: Path) -> None:
    file = tmp_path / "several.mlir"
    file.write_text(SEVERAL)
    problem = read_problem(file, 0, parameters=True)
    nests = read_nests(file, problem, parameters=True)
    split = next(op for op in problem.operators if op.type == "split")
    assert [problem.tensors[t].bytes for t in split.outputs] == [96, 48]
    kinds = {op.type: nests[op.name].kind if op.name in nests else None for op in problem.operators}
    assert kinds == {"conv": "convolution", "split": None, "relu": "elementwise", "max_pool": None}
    conv = next(op for op in problem.operators if op.type == "conv")
    whole = {o.tensor: nests[conv.name].whole_bytes(o) for o in nests[conv.name].tensors}
    assert whole == {problem.tensors[t].name: problem.tensors[t].bytes for t in conv.touched}
