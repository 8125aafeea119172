"""Files to be planned: what is read from them, and what is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dovetail import InputError
from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.read import read_problem

ROOT = Path(__file__).parents[3]
Graph = dict[str, Any]


def graph(**changes: Any) -> Graph:
    ops = [
        {"name": "conv", "type": "Conv", "inputs": ["x", "w"], "outputs": ["a"]},
        {"name": "add", "type": "Add", "inputs": ["a", "a"], "outputs": ["y"]},
    ]
    sizes = {"x": 100, "w": 30, "a": 50, "y": 50}
    return {"name": "g", "ops": ops, "tensor_bytes_int8": sizes, "graph_outputs": ["y"], **changes}


def read(tmp_path: Path, document: Graph | str, **given: Any) -> ScratchpadProblem:
    file = tmp_path / "graph.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
    return read_problem(file, 1000, **given)


def kinds(problem: ScratchpadProblem) -> dict[str, str]:
    return {tensor.name: tensor.kind for tensor in problem.tensors}


def test_a_tensor_graph(tmp_path: Path) -> None:
    problem = read(tmp_path, graph(), alignment_bytes=64)
    assert (problem.name, problem.size_bytes, problem.alignment_bytes) == ("g", 1000, 64)
    assert kinds(problem) == {"x": "input", "w": "input", "a": "intermediate", "y": "output"}
    assert [(op.name, op.type) for op in problem.operators] == [("conv", "Conv"), ("add", "Add")]
    assert problem.sizes == (128, 64, 64, 64)
    assert problem.compulsory_bytes == 180


def test_an_operand_that_is_read_twice_counts_once(tmp_path: Path) -> None:
    problem = read(tmp_path, graph())
    assert problem.operators[1].inputs == (2,)
    assert problem.need_bytes == (180, 100)


def test_parameters_are_tensors_only_when_asked_for(tmp_path: Path) -> None:
    document = graph(parameters=["w"])
    assert kinds(read(tmp_path, document, parameters=True))["w"] == "parameter"
    assert kinds(read(tmp_path, document)) == {"x": "input", "a": "intermediate", "y": "output"}
    assert read(tmp_path, document).operators[0].inputs == (0,)


def test_operators_are_put_in_an_order_that_runs(tmp_path: Path) -> None:
    ops = graph()["ops"][::-1]
    assert [op.name for op in read(tmp_path, graph(ops=ops)).operators] == ["conv", "add"]


def test_an_empty_graph(tmp_path: Path) -> None:
    problem = read(tmp_path, graph(ops=[], tensor_bytes_int8={}, graph_outputs=[]))
    assert (problem.operators, problem.tensors, problem.least_size_bytes) == ((), (), 0)


def op(name: str, inputs: list[str], outputs: list[str]) -> Graph:
    return {"name": name, "type": "T", "inputs": inputs, "outputs": outputs}


REFUSED: dict[str, tuple[Graph | str, str]] = {
    "broken": ('{"ops": [,', "this is not JSON"),
    "no object": ("[]", "a tensor graph is an object"),
    "key missing": ({"ops": [], "graph_output": [], "tensor_bytes_int8": {}}, "did you mean `graph_output`"),
    "wrong kind": (graph(ops={}), "`ops` must be a list"),
    "key twice": ('{"ops": [], "ops": [], "tensor_bytes_int8": {}, "graph_outputs": []}', "stands twice"),
    "no name": (graph(ops=[{"inputs": [], "outputs": []}]), "operator 0 is no object with a `name`"),
    "no inputs": (graph(ops=[{"name": "a", "outputs": []}]), "operator `a` has no list `inputs`"),
    "name twice": (graph(ops=[op("a", ["x"], ["a"]), op("a", ["a"], ["y"])]), "two operators have the name `a`"),
    "unknown tensor": (graph(ops=[op("a", ["xx"], ["y"])]), "`xx` in inputs of operator `a` is no tensor"),
    "unknown output": (graph(graph_outputs=["z"]), "`z` in graph_outputs is no tensor"),
    "no text": (graph(graph_outputs=[3]), "`3` in graph_outputs"),
    "negative": (graph(tensor_bytes_int8={"x": -1, "w": 1, "a": 1, "y": 1}), "size of tensor `x` is -1"),
    "fraction": (graph(tensor_bytes_int8={"x": 1.5, "w": 1, "a": 1, "y": 1}), "size of tensor `x` is 1.5"),
    "huge": (graph(tensor_bytes_int8={"x": 10**30, "w": 1, "a": 1, "y": 1}), "`x` has more than"),
    "many digits": ('{"ops": [' + "9" * 5000 + "]}", "more digits than can be read"),
    "no character": (graph(ops=[op("\ud800", ["x"], ["a"])]), "half of a surrogate pair"),
    "a cycle": (graph(ops=[op("p", ["y"], ["a"]), op("q", ["a"], ["y"])]), "wait for each other: `p`, `q`"),
    "itself": (graph(ops=[op("p", ["a"], ["a"])]), "reads `a`, which it makes itself"),
    "makes twice": (graph(ops=[op("p", ["x"], ["a", "a"])]), "`p` makes `a` twice"),
    "two producers": (graph(ops=[op("p", ["x"], ["a"]), op("q", ["x"], ["a"])]), "made by `p` and by `q`"),
    "made parameter": (graph(parameters=["a"]), "parameter `a` is made by `conv`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    document, expected = REFUSED[case]
    with pytest.raises(InputError) as error:
        read(tmp_path, document)
    assert expected in str(error.value)
    assert "graph.json:" in str(error.value)


def test_all_faults_are_shown_at_once(tmp_path: Path) -> None:
    sizes = {"x": -1, "w": 2, "a": "many", "y": 1}
    with pytest.raises(InputError) as error:
        read(tmp_path, graph(tensor_bytes_int8=sizes, graph_outputs=["z"]))
    assert len(error.value.diagnostics) == 3


def test_parameters_that_are_not_named_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say which"):
        read(tmp_path, graph(), parameters=True)


@pytest.mark.parametrize("name", ["absent.json", "graph.yaml"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        read_problem(tmp_path / name, 1)


def test_an_onnx_file_has_the_sizes_of_its_types() -> None:
    pytest.importorskip("onnx")
    file = ROOT / "examples" / "classifier" / "classifier.onnx"
    without, with_weights = read_problem(file, 0), read_problem(file, 0, parameters=True)
    assert {"input", "output"} < set(kinds(without).values()) <= {"input", "output", "intermediate"}
    extra = [tensor for tensor in with_weights.tensors if tensor.kind == "parameter"]
    assert extra
    assert len(with_weights.tensors) == len(without.tensors) + len(extra)
    assert with_weights.compulsory_bytes == without.compulsory_bytes + sum(tensor.bytes for tensor in extra)
    assert all(tensor.bytes % 4 == 0 for tensor in with_weights.tensors)  # float32
    assert without.is_order(range(len(without.operators)))


MODULE = """
func.func @main(%x: tensor<1x8xf32>) -> tensor<1x8xf32> {
  %w = "nn.weight"() {weight = "w"} : () -> tensor<8x8xf16>
  %r = "nn.reshape"(%x) : (tensor<1x8xf32>) -> tensor<8x1xf32>
  %s = "nn.reshape"(%r) : (tensor<8x1xf32>) -> tensor<1x8xf32>
  %a = "nn.relu"(%s) : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %b = "nn.add"(%a, %x) : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
  func.return %b : tensor<1x8xf32>
}
"""


def test_a_module_in_text_whose_reshapes_take_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "net.mlir"
    file.write_text(MODULE)
    problem = read_problem(file, 64)
    assert [(op.type, op.inputs, op.outputs) for op in problem.operators] == [
        ("relu", (0,), (1,)),
        ("add", (1, 0), (2,)),
    ]
    assert [(tensor.bytes, tensor.kind) for tensor in problem.tensors] == [
        (32, "input"),
        (32, "intermediate"),
        (32, "output"),
    ]
