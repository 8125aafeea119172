"""Networks with unusual ends and names, and without elements, on each way and saved: right, or refused in words."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import dovetail
from dovetail.ir.npz import read_npz, write_npz
from dovetail.ir.read.networks import read_network
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="needs the extra dovetail[triton]")
FLEET = """
devices:
  gpu: {model: h100-sxm, count: 1, price: {rent: 2 USD/h}}
  tpu: {model: tpu-v5e, count: 1, price: {rent: 2 USD/h}}
  npu: {kind: npu, memory: 1 GB, bandwidth: 9 GB/s, flops: {fp32: 5 TFLOP/s}, scratchpad: 32 KiB, price: {rent: 1USD/h}}
  cpu: {kind: cpu, memory: 8 GB, bandwidth: 20 GB/s, flops: {fp32: 0.1 TFLOP/s}, price: {rent: 0.1 USD/h}}
"""  # fmt: skip
WAYS = ("cpu", "gpu", "tpu", "npu", "split")
X = np.array([[1, -2, 3], [4, 5, -6]], np.float32)
NAME = "a/b.c \"d'\\\né"
"""of two lines, with quotes, a backslash, and a letter that is none of ASCII"""


def end(name: str, shape: tuple[int, ...] | None = (2, 3)) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def saved(path: Path, nodes: list[onnx.NodeProto], ins: list, outs: list, weights: dict[str, np.ndarray]) -> Path:
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, NAME, ins, outs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return tmp_path / "fleet.yaml"


def on(way: str, path: Path, fleet: Path) -> dovetail.Program:
    count = len(working_ops(prepare(read_network(path))))
    devices = [("gpu", "npu", "cpu")[i * 3 // count] for i in range(count)] if way == "split" else [way] * count
    return dovetail.compile(path, fleet=fleet, placement=devices)


def alone(program: dovetail.Program, inputs: list[np.ndarray], folder: Path) -> list[np.ndarray]:
    """What the saved program gives by itself."""
    out = program.save(folder / "out", force=True)
    write_npz(folder / "x.npz", dict(zip(program.network.inputs, inputs, strict=True)))
    command = [sys.executable, "run.py", "--inputs", str(folder / "x.npz"), "--outputs", str(folder / "y.npz")]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode == 0, done.stderr
    return list(read_npz(folder / "y.npz").values())


def hold(found: object, expected: list[np.ndarray]) -> None:
    arrays = list(found)  # type: ignore[call-overload]
    assert len(arrays) == len(expected)
    for array, wanted in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=1e-6)


ENDS = {
    "one output twice": ([helper.make_node("Relu", ["x"], ["y"])], ["y", "y"], [np.maximum(X, 0)] * 2),
    "an input and a weight": ([helper.make_node("Relu", ["x"], ["y"])], ["y", "x", "w"], [np.maximum(X, 0), X, -X]),
    "no operators": ([], ["x", "w"], [X, -X]),
    "what has no shape": ([helper.make_node("Relu", ["x"], ["t"])], ["t"], [np.maximum(X, 0)]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ENDS)
def test_ends(name: str, way: str, fleet: Path, tmp_path: Path) -> None:
    nodes, outputs, expected = ENDS[name]
    shape = None if name == "what has no shape" else (2, 3)
    path = saved(tmp_path / "net.onnx", nodes, [end("x")], [end(each, shape) for each in outputs], {"w": -X})
    program = on(way, path, fleet)
    hold(program(X), expected)
    if way == "cpu":
        hold(dovetail.compile(path)(X), expected)
    if way in ("cpu", "split"):
        hold(alone(program, [X], tmp_path), expected)


@pytest.mark.parametrize(("name", "way"), [*((NAME, way) for way in WAYS), ("self", "cpu"), ("file", "cpu")])
def test_names(name: str, way: str, fleet: Path, tmp_path: Path) -> None:
    w, bias = np.ones((3, 2), np.float32), np.full(2, 2, np.float32)
    nodes = [
        helper.make_node("MatMul", [name, f"{name}_w"], ["t"], name=name),
        helper.make_node("Relu", ["t"], ["r"], name=f"{name}2"),
        helper.make_node("Add", ["r", f"{name}.w"], ["allow_pickle"], name=name),
    ]
    weights = {f"{name}_w": w, f"{name}.w": bias}
    path = saved(tmp_path / "net.onnx", nodes, [end(name)], [end("allow_pickle", (2, 2))], weights)
    expected = [np.maximum(X @ w, 0) + bias]
    program = on(way, path, fleet)
    hold(program(**{name: X}), expected)
    assert program.verify({name: X})["holds"]
    if name != "self":
        hold(alone(program, [X], tmp_path), expected)


def test_truth_values_stay_so_in_the_script(fleet: Path, tmp_path: Path) -> None:
    said = helper.make_tensor_value_info("y", TensorProto.BOOL, (2, 3))
    path = saved(tmp_path / "net.onnx", [helper.make_node("Greater", ["x", "w"], ["y"])], [end("x")], [said], {"w": -X})
    (found,) = alone(on("gpu", path, fleet), [X], tmp_path)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, X > -X)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def node(kind: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, ["y"], **attributes)


INF, NAN = np.inf, np.nan
NOTHING = {
    "ReduceMax": (node("ReduceMax", "x", axes=[1]), [(2, 0)], (2, 1), -INF),
    "ReduceMin": (node("ReduceMin", "x", axes=[1], keepdims=0), [(2, 0)], (2,), INF),
    "ReduceLogSumExp": (node("ReduceLogSumExp", "x", axes=[1]), [(2, 0)], (2, 1), -INF),
    "ReduceMean": (node("ReduceMean", "x", axes=[1]), [(2, 0)], (2, 1), NAN),
    "ReduceProd": (node("ReduceProd", "x", axes=[1]), [(2, 0)], (2, 1), 1),
    "Softmax": (node("Softmax", "x", axis=1), [(2, 0)], (2, 0), 0),
    "LogSoftmax": (node("LogSoftmax", "x", axis=1), [(2, 0)], (2, 0), 0),
    "ArgMax": (node("ArgMax", "x", axis=1), [(0, 3)], (0, 1), 0),
    "MatMul": (node("MatMul", "x", "z"), [(2, 0), (0, 3)], (2, 3), 0),
    "Conv": (node("Conv", "x", "z"), [(0, 1, 4, 4), (2, 1, 3, 3)], (0, 2, 2, 2), 0),
    "ConvTranspose": (node("ConvTranspose", "x", "z"), [(0, 1, 4, 4), (1, 2, 3, 3)], (0, 2, 6, 6), 0),
    "Concat": (node("Concat", "x", "z", axis=0), [(0, 3), (0, 3)], (0, 3), 0),
    "MaxPool": (node("MaxPool", "x", kernel_shape=[2, 2]), [(0, 1, 4, 4)], (0, 1, 3, 3), 0),
    "InstanceNormalization": (node("InstanceNormalization", "x", "z", "z"), [(0, 2, 3), (2,)], (0, 2, 3), 0),
}  # fmt: skip


ON_GPU = ("ReduceMax", "Softmax", "MatMul", "ConvTranspose", "Concat", "InstanceNormalization")


@pytest.mark.parametrize(
    ("name", "way"), [*((name, way) for name in NOTHING for way in ("cpu", "npu")), *((name, "gpu") for name in ON_GPU)]
)
def test_operators_on_nothing(name: str, way: str, fleet: Path, tmp_path: Path) -> None:
    made, shapes, shape, value = NOTHING[name]
    ins = [end(given, size) for given, size in zip("xz", shapes, strict=False)]
    out = helper.make_tensor_value_info("y", TensorProto.INT64 if name == "ArgMax" else TensorProto.FLOAT, shape)
    path = saved(tmp_path / "net.onnx", [made], ins, [out], {})
    (found,) = on(way, path, fleet)(*(np.ones(size, np.float32) for size in shapes))
    assert found.shape == shape
    np.testing.assert_array_equal(found, np.full(shape, value))


@pytest.mark.parametrize("exports", ["cuda", 3, ["gpu"], [3], [None]])
def test_what_is_no_list_of_platforms_is_refused_before_anything_is_written(exports: object, tmp_path: Path) -> None:
    program = dovetail.compile(lambda x: x + 1, example_inputs=(X,))
    with pytest.raises(dovetail.InputError, match=r"takes a list of platforms|is no platform of JAX"):
        program.save(tmp_path / "out", exports=exports)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
